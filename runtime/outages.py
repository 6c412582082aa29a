"""Long work that goes on through a model's outage, and gives up when it does not end."""

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


class OutageGuard:
    """Runs pieces of work side by side; what the model leaves unanswered is skipped and counted.

    Args:
        options: The run's options.
        at_once: Pieces at the same time, all of which one outage may hit.
        reflects: Whether the work asks the reflecting model, too.

    Attributes:
        skipped: Pieces that were left undone.
        last: Why the last of them was, if any.
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
        """Do the pieces; what is under way when the budget ends or the model dies is finished.

        Args:
            pieces: What to work on, begun in this order.
            work: Does a piece; may raise `BudgetSpentError` or `ModelDownError`.

        Returns:
            Why it stopped, or `None` if it went through; pieces may have been skipped all the same.
        """
        queue = iter(pieces)
        stopped: list[BudgetSpentError | ModelDownError] = []

        async def worker() -> None:
            for piece in queue:
                if stopped:
                    return
                try:
                    await self.survive(partial(work, piece))
                except (BudgetSpentError, ModelDownError) as error:
                    # The others may be waiting for answers that are paid already.
                    stopped.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(worker())
        return stopped[0] if stopped else None

    async def survive(self, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """Do a piece of work. While the model is taken for dead, one piece at a time tries it.

        Args:
            work: May raise `ModelDownError`.

        Returns:
            Its result, or `None` if the model gave no answer.

        Raises:
            ModelDownError: It has given none for long.
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
            # That the model is left alone says less than why.
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
        """Return the seconds to leave the models alone, or `None` if they are well."""
        options = self._options
        endpoints = [await options.services.endpoint(options.model)]
        if self._reflects:
            endpoints.append(await options.services.endpoint(options.reflect_model, reflects=True))
        waits = [endpoint.breaker.wait for endpoint in endpoints if endpoint.breaker.open]
        return max(waits, default=None)
