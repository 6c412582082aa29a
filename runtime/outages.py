"""Long work that goes on through a model's outage, and gives up when the outage does not end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from ..errors import BudgetSpentError, Failure, ModelDownError
from .options import RunOptions

_PROBES = 3
_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


async def side_by_side(
    pieces: Iterable[_Piece], work: Callable[[_Piece], Awaitable[None]], *, at_once: int
) -> BudgetSpentError | ModelDownError | None:
    """Work on some pieces at a time until all are done, the budget is spent or the model is down.

    Args:
        pieces: Started in this order.

    Returns:
        Why it stopped early, or `None`. Pieces that were already started are finished.

    Raises:
        Exception: The first other error of a piece; the other pieces are cancelled.
    """
    queue = iter(pieces)
    stopped: list[BudgetSpentError | ModelDownError] = []

    async def worker() -> None:
        for piece in queue:
            if stopped:
                return
            try:
                await work(piece)
            except (BudgetSpentError, ModelDownError) as error:
                # The others may be waiting for answers that are already paid.
                stopped.append(error)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    return stopped[0] if stopped else None


class OutageGuard:
    """Runs pieces of work; those that the model leaves unanswered are skipped and counted.

    Args:
        options: The run's options.
        at_once: Pieces at the same time; one outage may hit all of them.
        reflects: Whether the work also calls the reflecting model.

    Attributes:
        skipped: How many pieces were skipped.
        last: Why the last of them was skipped, if any.
    """

    def __init__(self, options: RunOptions, at_once: int, *, reflects: bool = True) -> None:
        self.skipped = 0
        self.last: ModelDownError | None = None
        self._options = options
        self._reflects = reflects
        self._at_once = at_once
        self._in_a_row = 0
        self._most = at_once + _PROBES
        self._probing = asyncio.Lock()

    async def work_through(
        self, pieces: Iterable[_Piece], work: Callable[[_Piece], Awaitable[None]]
    ) -> BudgetSpentError | ModelDownError | None:
        """Do the pieces side by side.

        Args:
            pieces: Started in this order.
            work: Does one piece; may raise `BudgetSpentError` or `ModelDownError`.

        Returns:
            Why it stopped early, or `None`; even then, pieces may have been skipped.
        """
        return await side_by_side(
            pieces, lambda piece: self.survive(partial(work, piece)), at_once=self._at_once
        )

    async def survive(self, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """Do one piece of work. While the circuit is open, one piece at a time tries the model.

        Args:
            work: May raise `ModelDownError`.

        Returns:
            Its result, or `None` if the model gave no answer.

        Raises:
            ModelDownError: The model has been down for long.
        """
        wait = await self._wait()
        if wait is None:
            return await self._counted(work)
        async with self._probing:
            self._give_up_if_dead()
            await asyncio.sleep(await self._wait() or 0.0)
            return await self._counted(work)

    async def _counted(self, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        try:
            result = await work()
        except ModelDownError as error:
            self.skipped += 1
            # An open circuit is a consequence; the failure before it is the cause.
            if self.last is None or error.failure != Failure.CIRCUIT_OPEN:
                self.last = error
            self._in_a_row += 1
            self._give_up_if_dead()
            return None
        self._in_a_row = 0
        return result

    def _give_up_if_dead(self) -> None:
        if self.last is not None and self._in_a_row >= self._most:
            raise self.last from None

    async def _wait(self) -> float | None:
        """Return how many seconds the circuits stay open, or `None` if they are closed."""
        options = self._options
        endpoints = [await options.services.models.endpoint(options.model)]
        if self._reflects:
            reflecting = await options.services.models.endpoint(
                options.reflect_model, reflects=True, option=options.reflecting_option
            )
            endpoints.append(reflecting)
        waits = [endpoint.breaker.wait for endpoint in endpoints if endpoint.breaker.open]
        return max(waits, default=None)
