"""Long work: outages are waited out, spent budgets and dead models end it."""

import asyncio
import time
from collections.abc import Callable

import pytest
from re2llm.errors import BudgetSpentError, ModelDownError
from re2llm.llm.offline import OfflineRanker
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.outages import OutageGuard, side_by_side
from re2llm.runtime.services import Services

Change = Callable[..., None]


async def test_work_goes_on_through_an_outage(services: Services, adjust: Change) -> None:
    """While the breaker is open, one piece of work at a time tries the model."""
    adjust(breaker_failures=2, breaker_pause=0.2)
    services.models.register("outage", OfflineRanker())
    options = await resolve_context(Context(model="outage"))
    endpoint = await services.models.endpoint("outage")
    outages = OutageGuard(options, at_once=4)
    back = time.monotonic() + 0.5
    tried: list[float] = []

    async def work() -> str:
        tried.append(time.monotonic())
        await asyncio.sleep(0.01)
        if time.monotonic() < back:
            endpoint.breaker.failed()
            raise ModelDownError("outage")
        endpoint.breaker.succeeded()
        return "done"

    done = [await asyncio.gather(*(outages.survive(work) for _ in range(4))) for _ in range(3)]
    results = [result for some in done for result in some]
    assert results.count("done") == 12 - outages.skipped
    assert 4 <= outages.skipped <= 6
    assert len(tried) == 12


async def test_what_is_under_way_when_the_budget_ends_is_finished(services: Services) -> None:
    options = await resolve_context(Context())
    # Making a model takes a thread, and so mixes up the order.
    await services.models.endpoint(options.model)
    await services.models.endpoint(options.reflect_model, reflects=True)
    outages = OutageGuard(options, at_once=3)
    begun: list[int] = []
    ended: list[int] = []
    spent = BudgetSpentError("--max-llm-calls", "All 4 calls are used.", "Run again to continue.")

    async def work(piece: int) -> None:
        begun.append(piece)
        await asyncio.sleep(0)
        if piece == 1:
            raise ModelDownError("gone")
        if piece == 4:
            raise spent
        if piece > 1:
            await asyncio.sleep(0.05)
        ended.append(piece)

    assert await outages.work_through(range(9), work) is spent
    assert begun == [0, 1, 2, 3, 4]
    assert ended == [0, 2, 3]
    assert outages.skipped == 1
    assert await outages.work_through([5, 6], work) is None
    assert ended == [0, 2, 3, 5, 6]


async def test_nobody_waits_for_a_dead_model(services: Services, adjust: Change) -> None:
    """Of those that wait for a model that is given up, none tries it again."""
    adjust(breaker_failures=2, breaker_pause=0.05)
    services.models.register("gone", OfflineRanker())
    options = await resolve_context(Context(model="gone"))
    endpoint = await services.models.endpoint("gone")
    outages = OutageGuard(options, at_once=4)
    tried = 0

    async def work() -> None:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0.01)
        endpoint.breaker.failed()
        raise ModelDownError("gone", "timeout")

    first = await asyncio.gather(*(outages.survive(work) for _ in range(4)))
    assert first == [None] * 4
    then = await asyncio.gather(*(outages.survive(work) for _ in range(4)), return_exceptions=True)
    assert then == [None, None, outages.last, outages.last]
    assert tried == outages.skipped == 4 + 3


async def test_an_error_ends_all_pieces_and_comes_as_it_is() -> None:
    ended: list[int] = []

    async def work(piece: int) -> None:
        if piece == 1:
            raise ValueError(piece)
        await asyncio.sleep(1)
        ended.append(piece)

    with pytest.raises(ValueError, match="1"):
        await side_by_side(range(9), work, at_once=3)
    assert ended == []
