"""The outermost check of every request to the LangGraph server, before any route is looked up.

The server consults `auth` only for some of its routes. Routes that this module does not know are
answered as if they did not exist, so a route that a later version adds is closed until it is named
here.
"""

from __future__ import annotations

import logging
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Re2llmError
from ..knowledge.allowances import claim_request, seconds_to_next_minute
from ..runtime.caller import Caller
from ..runtime.sharing import shared_services
from .auth import CHECKED, caller_with
from .callers import asks_for_key, is_loopback_call, key_of

_log = logging.getLogger(__name__)

_RETRY_AFTER = "5"
"""Seconds; a database that restarts is back about then."""
_OPEN = frozenset({"", "ok"})
"""Health checks, which reveal nothing."""
_META = frozenset({"docs", "info", "metrics", "openapi.json"})
"""Not covered by the server's `auth`."""
_GUARDED = frozenset(
    {".well-known", "a2a", "assistants", "mcp", "re2llm", "runs", "store", "threads"}
)
"""Covered by `auth`."""


class Gate:
    """Closes the routes that the server would answer for anyone.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        refusal = None
        if scope["type"] in {"http", "websocket"} and not is_loopback_call(scope):
            refusal = await _refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)


async def _refusal(scope: Scope) -> Response | None:
    segments = _segments(scope)
    first = segments[0] if segments else ""
    if ".." in segments or first not in _OPEN | _META | _GUARDED:
        return PlainTextResponse("Not Found", 404)
    key = None if first in _OPEN else key_of(scope)
    try:
        caller = None if key is None else await caller_with(key)
        if first in _META and asks_for_key(scope) and caller is None:
            return JSONResponse({"detail": "Send an API key that works."}, 401)
        scope[CHECKED] = caller
        return None if caller is None else await _too_many(caller)
    except (Re2llmError, OSError, SQLAlchemyError) as error:
        _log.warning("a key cannot be checked: %s", type(error).__name__)
        detail = "The key cannot be checked. Try again later."
        return JSONResponse({"detail": detail}, 503, {"retry-after": _RETRY_AFTER})


async def _too_many(caller: Caller) -> Response | None:
    """Count a request of a key; refuse it where the minute's are all made."""
    most = caller.grants.requests_per_minute
    if most is None:
        return None
    services = await shared_services()
    async with services.engine.begin() as connection:
        if await claim_request(connection, caller.key_id, most):
            return None
        seconds = await seconds_to_next_minute(connection)
    detail = f"This key may make {most:,} requests a minute. Try again in {seconds} s."
    return JSONResponse({"detail": detail}, 429, {"retry-after": str(seconds)})


def _segments(scope: Scope) -> list[str]:
    """Return the parts of a path, whatever slashes and escapes it is written with."""
    path: str = scope["path"]
    path = path.removeprefix(scope.get("root_path", ""))
    while (plain := unquote(path)) != path:
        path = plain
    return [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
