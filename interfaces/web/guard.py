"""The security headers of every page."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Scope

from .browsers import set_form_cookie

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy: nothing inline, and nothing from elsewhere."""
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not stricter: with `no-referrer`, browsers hide where a form was sent from.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def guarded(scope: Scope, response: Response) -> Response:
    """Return a page's response with its headers, and with the cookie of its forms if it is new.

    Args:
        scope: The request's.
        response: The response with a page or a file.
    """
    response.headers.update(_HEADERS)
    response.headers.setdefault("cache-control", "no-store")
    set_form_cookie(scope, response)
    return response
