"""One attempt at a model: it waits for a slot, respects the circuit breaker, and ends in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache

from ...errors import Failure
from ...settings import Settings
from ..errors.failures import ABOUT_THE_PROMPT, ModelFailedError
from ..usage import Usage
from .breaker import CircuitBreaker
from .limits import Limits

Claim = Callable[[], Awaitable[None]]
"""Claims one request before it is made."""
Lost = Callable[[Usage | None], None]
"""Called with the tokens of a request that may be billed without an answer; `None` if unknown."""

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
_ALIVE = ABOUT_THE_PROMPT | {Failure.TOO_LONG, Failure.RATE_LIMITED}
"""Failures of a live model: it dislikes this request, or has too many of them."""
_MOST_OWNERS = 10_000
"""Most owners whose circuit breakers are kept."""
_LEAST_PATIENCE = 0.05
"""Seconds below which a request is not worth making: no answer could come."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The owner and the time limit of a question.

    Attributes:
        owner: The owner whose places and circuit breaker it uses; empty without a key.
        ends: Its end on the monotonic clock.
        claim: Awaited before each request; may refuse it by raising.
        lost: Called for each request that may be billed without an answer.
    """

    owner: str
    ends: float
    claim: Claim
    lost: Lost

    @property
    def left(self) -> float:
        """Seconds."""
        return self.ends - time.monotonic()


class Attempts:
    """Makes the attempts at one model.

    Each owner has its own circuit breaker, so that one owner's failures do not block another.

    Args:
        name: The name for the log.
        limits: Shared with the other models.
        settings: Timeouts, and when a breaker opens.
    """

    def __init__(self, name: str, limits: Limits, settings: Settings) -> None:
        self._name = name
        self._limits = limits
        self._settings = settings
        self._breakers: LRUCache[str, CircuitBreaker] = LRUCache(_MOST_OWNERS)

    def breaker_of(self, owner: str) -> CircuitBreaker:
        """Return an owner's breaker.

        Args:
            owner: As in `Turn`.
        """
        if owner not in self._breakers:
            settings = self._settings
            made = CircuitBreaker(settings.breaker_failures, settings.breaker_pause)
            self._breakers[owner] = made
        return self._breakers[owner]

    async def make(self, request: Callable[[], Awaitable[_Result]], turn: Turn) -> _Result:
        """Make a request once.

        Args:
            request: Makes it.
            turn: The owner and the time limit of the question.

        Raises:
            ModelFailedError: There is no answer.
        """
        async with self._limits.place(turn.left, turn.owner):
            return await self._make(request, turn)

    async def _make(self, request: Callable[[], Awaitable[_Result]], turn: Turn) -> _Result:
        patience = min(self._settings.request_timeout, turn.left)
        if patience < _LEAST_PATIENCE:
            raise ModelFailedError(Failure.BUSY)
        breaker = self.breaker_of(turn.owner)
        if not breaker.allow():
            raise ModelFailedError(Failure.CIRCUIT_OPEN)
        try:
            await turn.claim()
        except BaseException:
            breaker.unused()
            raise
        try:
            async with asyncio.timeout(patience):
                answered = await request()
        except ModelFailedError as failed:
            if failed.usage is not None or failed.maybe_billed:
                turn.lost(failed.usage)
            if failed.failure in _ALIVE:
                breaker.succeeded()
            else:
                self._note_failure(breaker)
            raise
        except TimeoutError:
            turn.lost(None)
            # Cut short after a long wait for its turn, it says little about the model.
            usual = min(self._settings.request_timeout, self._settings.deadline)
            if patience >= usual / 2:
                self._note_failure(breaker)
            _log.info("model %s gave no answer in %.0f s", self._name, patience)
            raise ModelFailedError(Failure.TIMEOUT) from None
        breaker.succeeded()
        return answered

    def _note_failure(self, breaker: CircuitBreaker) -> None:
        was_open = breaker.open
        breaker.failed()
        if breaker.open and not was_open:
            _log.warning(
                "model %s is down: left alone for %.0f s at a time", self._name, breaker.wait
            )
