"""Looks for garbage as often as what a server receives asks for."""

from __future__ import annotations

import gc

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OBJECTS = 10_000
"""New objects after which Python looks for garbage. A hundred requests at a time always hold more
than its own 700, so that each look takes milliseconds and finds next to nothing."""
BYTES = 32 * 2**20
"""Bytes of requests after which it looks, too: a refused one leaves few objects that hold all of
its body, since the error and its frame refer to each other."""


def collect_rarely() -> None:
    """Look for garbage now and rarely from now on, and no more in what is loaded by now.

    That stays; to search it again and again takes an eighth of the work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 10, 10)


class CollectsGarbage:
    """Looks for garbage whenever so many bytes have come.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its bytes."""

        async def counted() -> Message:
            message = await receive()
            self._bytes += len(message.get("body", b""))
            return message

        await self._app(scope, counted, send)
        if self._bytes >= BYTES:
            self._bytes = 0
            gc.collect()
