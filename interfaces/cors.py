"""Which web pages may read a server's answers."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

from .key_rules import allowed_origins


def add_cors(app: Starlette) -> None:
    """Let the pages of this machine and the allowed ones read the answers.

    Args:
        app: The application.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=allowed_origins(),
        allow_origin_regex=r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?",
        allow_methods=["*"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=[
            *("content-location", "x-pagination-next", "x-pagination-total"),
            *("ratelimit", "ratelimit-policy", "retry-after", "x-request-id"),
        ],
    )
