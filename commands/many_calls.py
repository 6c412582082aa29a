"""Many pieces of work that each ask a model: side by side, within a budget, through an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import BudgetSpentError, ModelDownError

if TYPE_CHECKING:
    from ..nodes.context import Call

_Piece = TypeVar("_Piece")


async def work_through(
    pieces: Iterable[_Piece], work: Callable[[_Piece], Awaitable[None]], call: Call
) -> BudgetSpentError | ModelDownError | None:
    """Do the pieces; what is under way when the budget ends or the model dies is finished first.

    Args:
        pieces: What to work on.
        work: Does a piece; may raise `BudgetSpentError` or `ModelDownError`.
        call: The run's options.

    Returns:
        Why pieces were left undone, or `None` if none were.
    """
    from ..nodes.outage import Outages

    outages = Outages(call, call.settings.concurrency, reflects=False)
    queue = iter(pieces)
    stopped: list[BudgetSpentError | ModelDownError] = []

    async def worker() -> None:
        for piece in queue:
            if stopped:
                return
            try:
                await outages.survive(partial(work, piece))
            except (BudgetSpentError, ModelDownError) as error:
                stopped.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(call.settings.concurrency):
            group.create_task(worker())
    return next(iter(stopped), outages.last)
