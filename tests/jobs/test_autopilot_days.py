"""What an autopilot spends in a day: claimed before each call, over all workers."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.jobs.autopilot.switch import turn_off, turn_on
from re2llm.jobs.queue.code_version import code_version
from re2llm.knowledge.autopilot import days
from re2llm.knowledge.autopilot.days import used_days
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.job_budgets import JobClaim, claim_job_call, settle_job_call
from re2llm.knowledge.jobs.jobs import restart_job, store_job
from re2llm.operations.autopilot.manage import show_autopilot
from re2llm.operations.loading.load import load_domain
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import Date, literal, text
from sqlalchemy.ext.asyncio import AsyncConnection

Load = Callable[..., Any]


@contextmanager
def on_day(day: dt.date) -> Iterator[None]:
    """Have it be another day."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(days, "TODAY", literal(day, Date))
        yield


async def piloted_job(services: Services, domain: str, name: str, **limits: Any) -> str:
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, domain)).id
        await store_job(
            connection,
            number,
            id=f"{name}-{domain[-8:]}",
            kind="learn",
            arguments={"context": {}},
            version=code_version(),
            autopilot=True,
            **limits,
        )
    return f"{name}-{domain[-8:]}"


async def settle(connection: AsyncConnection, job: str, claims: list[Any], cost: float) -> None:
    """Settle a question that was attempted once or several times."""
    await settle_job_call(
        connection,
        job,
        reserved=sum(claim.reserved for claim in claims),
        cost=cost,
        tokens=1,
        answered=True,
        days={claim.day: claim.reserved for claim in claims},
    )


async def spend(services: Services, job: str, estimate: float, cost: float) -> bool:
    """Make one call of a job as a worker does, and return whether it could be made."""
    async with services.engine.begin() as connection:
        claim = await claim_job_call(connection, job, estimate)
    if isinstance(claim, str):
        return False
    await asyncio.sleep(0)
    async with services.engine.begin() as connection:
        await settle(connection, job, [claim], cost)
    return True


@pytest.mark.long
async def test_a_day_is_never_overspent_by_two_jobs_at_once_or_by_a_retry(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(usd_per_day=1.0))
    first = await piloted_job(services, domain, "learn", max_cost=0.5)
    second = await piloted_job(services, domain, "train", max_cost=1.0)
    made = await asyncio.gather(
        *(spend(services, job, 0.07, 0.06) for job in (first, second) for _ in range(20))
    )
    shown = await show_autopilot(context)
    assert shown.days[0].reserved == 0
    assert shown.days[0].cost == pytest.approx(0.06 * sum(made))
    assert 0.8 < shown.days[0].cost <= 1.0
    # A retry with a higher limit of its own gets nothing more of this day.
    async with services.engine.begin() as connection:
        await restart_job(connection, first, ["running"], code_version(), max_cost=50.0)
    assert not any([await spend(services, first, 0.2, 0.1) for _ in range(3)])
    # Of the next day it does; what a killed worker set aside stays with the day before.
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    async with services.engine.begin() as connection:
        with on_day(tomorrow):
            claim = await claim_job_call(connection, first, 0.07)
        assert claim == JobClaim(0.07, tomorrow)
        today, *_ = await used_days(connection, (await find_domain(connection, domain)).id, 0)
    assert today.spent == pytest.approx(shown.days[0].cost)
    # A held autopilot spends nothing, whatever a job of its own may do.
    await turn_off(context)
    assert not await spend(services, second, 0.0, 0.0)


@pytest.mark.long
async def test_claims_and_settlements_at_the_same_time_never_block_each_other(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(1)
    await turn_on(Context(domain=domain), AutopilotPlan(usd_per_day=100.0))
    names = [await piloted_job(services, domain, name) for name in ("learn", "train")]

    async def worker(job: str) -> int:
        return sum([await spend(services, job, 0.01, 0.01) for _ in range(15)])

    assert sum(await asyncio.gather(*(worker(job) for job in names * 4))) == 120
    shown = await show_autopilot(Context(domain=domain))
    assert (shown.days[0].llm_calls, shown.days[0].cost) == (120, pytest.approx(1.2))


async def test_a_call_dearer_than_thought_is_thought_of_from_then_on(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(1)
    await turn_on(Context(domain=domain), AutopilotPlan(usd_per_day=1.0))
    job = await piloted_job(services, domain, "learn")
    made = [await spend(services, job, 0.01, 0.3) for _ in range(6)]
    assert made == [True, True, True, False, False, False]
    # Not even a first call is made that does not fit.
    other = await another_domain(services)
    assert not await spend(services, await piloted_job(services, other, "learn"), 5.0, 5.0)


async def another_domain(services: Services) -> str:
    name = f"other-{uuid.uuid4().hex[:8]}"
    await load_domain(services, name, sample_items(), [lambda _: simulate_sessions(1, seed=1)])
    await turn_on(Context(domain=name), AutopilotPlan(usd_per_day=1.0))
    return name


async def test_a_call_that_finds_no_room_is_told_which_limit_applies(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(1))
    job = await piloted_job(services, context.domain or "", "learn")

    async def limit() -> object:
        async with services.engine.begin() as connection:
            return await claim_job_call(connection, job, 5.0)

    assert await limit() == "off"
    await turn_on(context, AutopilotPlan(calls_per_day=1))
    assert isinstance(await limit(), JobClaim)
    assert await limit() == "calls_per_day"
    await turn_on(context, AutopilotPlan(usd_per_day=1.0, calls_per_day=100))
    assert await limit() == "usd_per_day"
    async with services.engine.begin() as connection:
        await connection.execute(
            text("UPDATE re2llm.autopilot SET state = 'held' WHERE domain_id = :domain"),
            {"domain": (await find_domain(connection, context.domain or "")).id},
        )
    assert await limit() == "held"
    await turn_off(context)
    assert await limit() == "off"


async def test_free_calls_use_nothing_of_a_budget(services: Services, loaded: Load) -> None:
    """An offline model that ranks, beside a paid one that reflects: its trials are not settled."""
    domain = await loaded(1)
    await turn_on(Context(domain=domain), AutopilotPlan(usd_per_day=1.0))
    job = await piloted_job(services, domain, "learn", max_cost=1.0)
    assert await spend(services, job, 0.4, 0.4)
    for _ in range(5):
        async with services.engine.begin() as connection:
            claim = await claim_job_call(connection, job, 0.0, free=True)
        assert isinstance(claim, JobClaim)
        assert claim.reserved == 0
    assert await spend(services, job, 0.4, 0.4)
    (today, *_) = (await show_autopilot(Context(domain=domain))).days
    assert (today.cost, today.reserved, today.llm_calls) == (0.8, 0, 7)


async def test_calls_over_midnight_are_settled_on_the_day_of_their_claim(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(1)
    await turn_on(Context(domain=domain), AutopilotPlan(usd_per_day=1.0))
    job = await piloted_job(services, domain, "learn")
    today = dt.datetime.now(dt.UTC).date()
    tomorrow = today + dt.timedelta(days=1)
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, domain)).id
        with on_day(today):
            late, first = [await claim_job_call(connection, job, 0.1) for _ in range(2)]
        with on_day(tomorrow):
            again, early = [await claim_job_call(connection, job, 0.1) for _ in range(2)]
        await settle(connection, job, [late], 0.05)
        await settle(connection, job, [first, again], 0.04)  # two attempts at one question
        with on_day(tomorrow):
            new, old = await used_days(connection, number, 1)
        assert (new.reserved, new.spent) == (pytest.approx(0.1), pytest.approx(0.04))
        assert (old.reserved, old.spent) == (pytest.approx(0.0), pytest.approx(0.05))
        await settle(connection, job, [early], 0.1)
        with on_day(tomorrow):
            new, _ = await used_days(connection, number, 1)
        assert new.reserved == pytest.approx(0.0)
