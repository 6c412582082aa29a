"""How fast and how many at a time a process may ask models."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache

from ...errors import Failure
from ...forks import Inherited
from ..errors.failures import ModelFailedError


class Pace(Inherited):
    """Spreads the starts of requests evenly. Thread-safe.

    Args:
        per_second: Requests a second.

    Attributes:
        gap: Seconds between two starts.
    """

    def __init__(self, per_second: float) -> None:
        super().__init__()
        self.gap = 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def forget_parent(self) -> None:
        """Make a new lock in a forked process: a thread of the parent may hold the old one."""
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take the present moment if it is free; return the seconds until one is, 0 if taken."""
        with self._lock:
            now = time.monotonic()
            if self._next > now:
                return self._next - now
            self._next = now + self.gap
            return 0.0


@lru_cache
def shared_pace(per_second: float) -> Pace:
    """Return the process's pace.

    Args:
        per_second: Requests a second.
    """
    return Pace(per_second)


class Limits:
    """What all models of an event loop share: places for requests in flight, and the pace.

    Owners take turns. Once there is an owner with a key, each may hold only as many places as it
    leaves free, so that requests of one that hang leave room for the others (the dynamic threshold
    of Choudhury and Hahne, 1998, with a factor of 1).

    Args:
        at_once: Requests in flight.
        per_second: Requests a second of the whole process; `None` for any number.
    """

    def __init__(self, at_once: int, per_second: float | None) -> None:
        self._free = at_once
        self._pace = shared_pace(per_second) if per_second else None
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._shared = False
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def place(self, within: float, owner: str = "") -> AsyncGenerator[None]:
        """Hold a place for one request.

        Args:
            within: Seconds that the request could wait.
            owner: The owner for whom the question is asked; empty without a key.

        Raises:
            ModelFailedError: Its turn would come too late.
        """
        self._shared = self._shared or bool(owner)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        before = self._waiting.setdefault(owner, deque())
        if self._pace and len(before) * self._pace.gap > within:
            raise ModelFailedError(Failure.BUSY)
        before.append(turn)
        self._hand_out()
        try:
            async with asyncio.timeout(within):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._give_back(owner)  # it came while the wait ended
            else:
                turn.cancel()
                self._hand_out()
            if isinstance(error, TimeoutError):
                raise ModelFailedError(Failure.BUSY) from None
            raise
        try:
            yield
        finally:
            self._give_back(owner)

    def _give_back(self, owner: str) -> None:
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        self._hand_out()

    def _hand_out(self) -> None:
        """Give free places to those whose turn it is."""
        self._forget_abandoned()
        while (owner := self._next_owner()) is not None:
            pause = self._pace.take() if self._pace else 0.0
            if pause:
                self._hand_out_in(pause)
                return
            self._waiting[owner].popleft().set_result(None)
            self._waiting.move_to_end(owner)
            self._free -= 1
            self._held[owner] += 1
            self._forget_abandoned()

    def _next_owner(self) -> str | None:
        for owner in self._waiting:
            if self._free > (self._held[owner] if self._shared else 0):
                return owner
        return None

    def _forget_abandoned(self) -> None:
        for owner, turns in list(self._waiting.items()):
            while turns and turns[0].done():
                turns.popleft()
            if not turns:
                del self._waiting[owner]

    def _hand_out_in(self, pause: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(pause, self._hand_out)
