"""Routes that answer HEAD as they do GET, for browsers, proxies and whatever checks links."""

from __future__ import annotations

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

_HEAD = "HEAD"


class HeadToo(APIRoute):
    """A route whose GET is also a HEAD: the server sends its headers, and leaves out the body.

    The OpenAPI document names GET alone. A method of its own would be a second operation there.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a HEAD as the GET that it stands for."""
        return super().matches(self._as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the method in the scope stays HEAD for whatever looks at it."""
        if self._takes_head(scope):
            await self.app(scope, receive, send)
            return
        await super().handle(scope, receive, send)

    def _as_get(self, scope: Scope) -> Scope:
        return {**scope, "method": "GET"} if self._takes_head(scope) else scope

    def _takes_head(self, scope: Scope) -> bool:
        return scope.get("method") == _HEAD and "GET" in (self.methods or ())
