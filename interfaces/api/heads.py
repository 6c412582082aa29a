"""A limit for the headers of a request, which httptools, the parser, does not have."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 2**10
"""Bytes without an end of the headers, a piece of the body, or the end of a request."""


class LimitedProtocol(HttpToolsProtocol):
    """Ends a connection that sends headers, or trailers, without end."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._went_on = False
        self._pending = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it if it brought the request no further."""
        self._went_on = False
        super().data_received(data)
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
