"""Shutting down without failing a request: readiness turns false before the server stops."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from starlette.applications import Starlette


def is_draining(app: Starlette) -> bool:
    """Whether a server is about to stop."""
    return getattr(app.state, "draining", False)


@contextmanager
def draining(app: Starlette, delay: float) -> Generator[None]:
    """Have SIGTERM first turn readiness false, and stop the server a while later.

    Until then it goes on taking requests, so that a load balancer can notice. Used in the main
    thread, within a running server.

    Args:
        app: The application whose readiness it is.
        delay: Seconds between the two.
    """
    loop = asyncio.get_running_loop()
    stop: Any = signal.getsignal(signal.SIGTERM)

    def begin(number: int, frame: FrameType | None) -> None:
        app.state.draining = True
        loop.call_soon_threadsafe(loop.call_later, delay, partial(stop, number, frame))

    if not callable(stop):  # no server handles it
        yield
        return
    signal.signal(signal.SIGTERM, begin)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, stop)
