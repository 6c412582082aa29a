"""Refuses a request whose key was revoked between its headers and the end of its body."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LATE = 1.0
"""Seconds after its check that a body may end without another."""


class LateBody:
    """Between a server and its application: the end of a body that comes late.

    Args:
        receive: The server's own.
        send: The server's own.
        refused: Looks the key up again, sends a refusal if need be, and returns whether it did.
    """

    def __init__(
        self, receive: Receive, send: Send, refused: Callable[[Send], Awaitable[bool]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._refused = refused
        self._checked = time.monotonic()
        self._whole = False
        self._answering = False
        self._over = False

    async def pass_to(self, app: ASGIApp, scope: Scope) -> None:
        """Have the application answer, unless the request is refused meanwhile.

        Args:
            app: That answers.
            scope: The request's.
        """
        try:
            await app(scope, self.receive, self.send)
        except Exception:
            if not self._over:  # else it complains that the client is gone
                raise

    async def receive(self) -> Message:
        """Return the next message; of a request that is refused, that the client is gone."""
        if self._over:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if self._whole or message["type"] != "http.request" or message.get("more_body", False):
            return message
        self._whole = True
        if time.monotonic() - self._checked < LATE:
            return message
        if await self._refused(self._end):
            self._over = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the application's answer, unless the request is refused."""
        if not self._over:
            self._answering = True
            await self._send(message)

    async def _end(self, message: Message) -> None:
        if not self._answering:
            await self._send(message)
