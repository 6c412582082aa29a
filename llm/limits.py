"""How fast and how many at a time a process may ask models."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache

from ..errors import Failure
from .failures import ModelFailedError


class Pace:
    """Hands out the moments at which requests may start, evenly and in turn. Thread-safe.

    Args:
        per_second: Requests a second.
    """

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def take(self, within: float) -> float | None:
        """Take the next free moment.

        Args:
            within: Seconds that the request could wait.

        Returns:
            Seconds to wait for it, or `None` if it comes too late; then it stays free.
        """
        with self._lock:
            now = time.monotonic()
            start = max(self._next, now)
            if start - now > within:
                return None
            self._next = start + self._gap
            return start - now


@lru_cache
def shared_pace(per_second: float) -> Pace:
    """Return the process's pace.

    Args:
        per_second: Requests a second.
    """
    return Pace(per_second)


class Limits:
    """What all models of an event loop share: places for requests in flight, and the pace.

    Args:
        at_once: Requests in flight.
        per_second: Requests a second of the whole process; `None` for any number.
    """

    def __init__(self, at_once: int, per_second: float | None) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._pace = shared_pace(per_second) if per_second else None

    @asynccontextmanager
    async def place(self, within: float) -> AsyncGenerator[None]:
        """Hold a place for one request.

        Args:
            within: Seconds that the request could wait.

        Raises:
            ModelFailedError: Its turn would come too late.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(within):
                await self._places.acquire()
        except TimeoutError:
            raise ModelFailedError(Failure.BUSY) from None
        try:
            if self._pace is not None:
                pause = self._pace.take(within - (time.monotonic() - started))
                if pause is None:
                    raise ModelFailedError(Failure.BUSY)
                await asyncio.sleep(pause)
            yield
        finally:
            self._places.release()
