"""Runs Python's garbage collector at intervals that suit a server."""

from __future__ import annotations

import gc

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OBJECTS = 10_000
"""New objects that trigger a collection. With Python's default of 700, a hundred concurrent
requests trigger it all the time, for nothing."""
BYTES = 32 * 2**20
"""Request bytes that trigger one too: a refused request can leave a reference cycle, of the error
and its frame, that keeps its body alive."""


def collect_rarely() -> None:
    """Collect now, then rarely, and exempt all that is loaded (`gc.freeze`).

    It stays alive anyway; scanning it took an eighth of the work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 10, 10)


class CollectsGarbage:
    """Collects garbage after every `BYTES` bytes of requests.

    Args:
        app: The application that it wraps.
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
