"""What the LangGraph server serves besides its own routes; `http.app` of langgraph.json."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

from ..errors import InputError
from ..runtime.sharing import close_shared_services
from ..settings import get_settings
from .auth import some_key_works
from .callers import NotesNamedIds, allowed_origins, serves_others
from .gate import Gate
from .mcp_server import build_server


def build_app() -> Starlette:
    """Build the application: our MCP server, and the shutdown of our services with the server."""
    server = build_server(hosts=get_settings().mcp_hosts)
    app = server.streamable_http_app()
    app.add_middleware(NotesNamedIds)
    app.add_middleware(Gate)
    # The server's own would let every website read its answers.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=allowed_origins(),
        allow_origin_regex=r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?",
        allow_methods=["*"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=["content-location", "x-pagination-next", "x-pagination-total"],
    )
    sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(starting: Starlette) -> AsyncGenerator[None]:
        if serves_others() and not await some_key_works():
            raise InputError(
                "--host",
                "Other machines can reach this address, but there is no API key.",
                "Make one with `re2llm keys create`, or listen on 127.0.0.1.",
            )
        async with sessions(starting):
            yield
        await close_shared_services()

    app.router.lifespan_context = lifespan
    return app


app = build_app()
