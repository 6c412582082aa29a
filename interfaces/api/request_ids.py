"""A request's id: the client's own if it is a plain one, else a new one."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""For log records; empty outside a request."""

_KEY = "re2llm.request_id"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(scope: Scope) -> str:
    """Return the id of a request, always the same one.

    Args:
        scope: The request's.
    """
    if _KEY not in scope:
        sent = dict(scope.get("headers") or []).get(HEADER.lower().encode(), b"").decode("latin-1")
        scope[_KEY] = sent if _PLAIN.fullmatch(sent) else uuid.uuid4().hex
    return scope[_KEY]


class RequestIds:
    """Gives each request an id, which its response carries.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the id for what happens within the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = request_id_of(scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(HEADER, id_)
            await send(message)

        token = current_request_id.set(id_)
        try:
            await self._app(scope, receive, answer)
        finally:
            current_request_id.reset(token)
