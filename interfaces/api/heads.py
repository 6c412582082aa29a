"""Limits of a request that is not whole: how long its headers are, and how long it stands still.

The parser, httptools, has none, and uvicorn looks at the time only after an answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 2**10
"""Bytes without an end of the headers, a piece of the body, or the end of a request."""


_LOOKS = 15
"""How often to check a connection in the time that it may be idle."""


class LimitedProtocol(HttpToolsProtocol):
    """Ends a connection that sends headers, or trailers, without end, or nothing for long.

    It may be idle for as long as between two requests, `timeout_keep_alive`: before the first one,
    until the headers have ended, and from one piece of a body to the next.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._went_on = False
        self._pending = 0
        self._since = self.loop.time()
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to look at whether it is idle."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:  # it has become a WebSocket
            return
        now = self.loop.time()
        if not self._waits():
            self._since = now
        elif now - self._since >= self.timeout_keep_alive:
            self.transport.close()
            return
        self._next_look = self.loop.call_later(self.timeout_keep_alive / _LOOKS, self._look)

    def _waits(self) -> bool:
        """Whether only the client can bring a request further."""
        if self.flow.read_paused or self.timeout_keep_alive_task is not None:
            return False  # the application is slow, or uvicorn itself looks at the time
        cycle = self.cycle
        if getattr(cycle, "response_complete", True):  # there may be none yet
            return True
        return cycle.more_body and not cycle.response_started

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it if it brought the request no further."""
        if self.timeout_keep_alive_task is not None:  # which uvicorn now ends
            self._since = self.loop.time()
        self._went_on = False
        super().data_received(data)
        if self._went_on:
            self._since = self.loop.time()
        self._pending = 0 if self._went_on else self._pending + len(data)
        if self._pending <= LARGEST_HEAD or self.transport.is_closing():
            return
        if getattr(self.cycle, "response_complete", True):  # there may be none yet
            self.send_400_response(f"The headers are larger than {LARGEST_HEAD:,} bytes.")
        else:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Note that the headers have ended."""
        self._went_on = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that a piece of the body came."""
        self._went_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request has ended."""
        self._went_on = True
        super().on_message_complete()
