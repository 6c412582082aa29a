"""Budgets, pace and calls in flight, counted in the database over all processes."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from re2llm.errors import BudgetSpentError, InputError
from re2llm.jobs.queue.code_version import code_version
from re2llm.knowledge.autopilot.autopilots import store_autopilot
from re2llm.knowledge.autopilot.days import DayLimit
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.job_budgets import claim_job_call, next_start, settle_job_call
from re2llm.knowledge.jobs.jobs import end_job, fetch_job, restart_job, store_job
from re2llm.knowledge.locks import AdvisoryLocks
from re2llm.knowledge.schema.jobs import JobRow
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.allowance import ANSWER_TOKENS, Claims, presumed_usage
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import event, select


@pytest.fixture
def stored(services: Services, loaded: Callable[..., Any], domain: str) -> Callable[..., Any]:
    async def store(**limits: Any) -> str:
        await loaded(1)
        job = f"learn-{domain[-8:]}"
        async with services.engine.begin() as connection:
            number = (await find_domain(connection, domain)).id
            await store_job(
                connection,
                number,
                id=job,
                kind="learn",
                arguments={"context": {}},
                version=code_version(),
                **limits,
            )
        return job

    return store


async def claim(
    services: Services, job: str, estimate: float = 0.0, least: float | None = None
) -> Any:
    async with services.engine.begin() as connection:
        claimed = await claim_job_call(connection, job, estimate, least)
        return claimed if isinstance(claimed, str) else claimed.reserved


async def test_calls_claimed_at_once_are_never_more_than_allowed(
    services: Services, stored: Callable[..., Any]
) -> None:
    job = await stored(max_calls=7)
    claimed = await asyncio.gather(*(claim(services, job) for _ in range(20)))
    assert sorted(map(str, claimed)) == ["0.0"] * 7 + ["max_llm_calls"] * 13


async def test_a_claim_of_a_usual_job_is_one_statement(
    services: Services, stored: Callable[..., Any]
) -> None:
    job = await stored()
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    async with services.engine.begin() as connection:
        # Of this connection: what other tests have begun may still write.
        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await claim_job_call(connection, job, 0.0)
    assert len(asked) == 1


async def test_money_is_set_aside_before_a_call_and_settled_after_it(
    services: Services, stored: Callable[..., Any]
) -> None:
    job = await stored(max_cost=1.0)
    assert await claim(services, job, 0.4) == 0.4
    assert await claim(services, job, 0.4) == 0.4
    assert await claim(services, job, 0.4) == "max_cost"
    async with services.engine.begin() as connection:
        await settle_job_call(connection, job, reserved=0.4, cost=0.1, tokens=120, answered=True)
    # The mean, unless the call's own prompt costs more.
    assert await claim(services, job, 0.4, 0.05) == pytest.approx(0.1)
    assert await claim(services, job, 0.4, 0.15) == pytest.approx(0.15)
    assert await claim(services, job, 0.4) == "max_cost"
    async with services.engine.begin() as connection:
        found = await fetch_job(connection, job)
        assert (found.cost, found.tokens, found.llm_calls) == (0.1, 120, 4)
        assert await end_job(connection, found, "paused")
    assert await claim(services, job, 0.0) == "state"


async def test_many_small_calls_do_not_make_large_ones_look_cheap(
    services: Services, stored: Callable[..., Any], domain: str, adjust: Callable[..., None]
) -> None:
    adjust(prices={domain: [1.0, 1.0]})
    job = await stored(max_cost=2.5)
    async with services.engine.begin() as connection:
        for _ in range(100):
            await settle_job_call(connection, job, reserved=0, cost=0.024, tokens=1, answered=True)
    options = await resolve_context(Context(domain=domain, budget=Budget(job=job)))
    long = [HumanMessage("many words " * 20_000)]
    made = [Claims(options, domain, long).claim() for _ in range(40)]
    refused = [error for error in await asyncio.gather(*made, return_exceptions=True) if error]
    assert {type(error) for error in refused} == {BudgetSpentError}
    asked = presumed_usage(options, long)
    cost = (asked.tokens_in + asked.tokens_out) / 1_000_000
    assert cost > 0.024  # the mean
    assert 40 - len(refused) == int((2.5 - 2.4) / cost)


@pytest.mark.parametrize("limit", ["max_cost", "day", None])
async def test_without_a_price_no_call_of_limited_cost_is_made(
    services: Services, stored: Callable[..., Any], domain: str, limit: str | None
) -> None:
    values: dict[str, Any] = {"max_cost": 1.0} if limit == "max_cost" else {}
    job = await stored(autopilot=limit == "day", **values)
    if limit == "day":
        async with services.engine.begin() as connection:
            number = (await find_domain(connection, domain)).id
            plan = AutopilotPlan(usd_per_day=1.0).as_dict()
            await store_autopilot(connection, number, plan, "")
    options = await resolve_context(Context(domain=domain, budget=Budget(job=job)))
    claims = Claims(options, "openai:priceless", [])
    if limit is None:
        await claims.claim()
    else:
        with pytest.raises(InputError, match="no price"):
            await claims.claim()
    async with services.engine.connect() as connection:
        assert (await fetch_job(connection, job)).llm_calls == (limit is None)


@pytest.mark.parametrize("forgets", [False, True])
async def test_what_calls_in_flight_have_set_aside_outlasts_a_pause(
    services: Services, stored: Callable[..., Any], *, forgets: bool
) -> None:
    job = await stored(max_cost=1.0)
    assert await claim(services, job, 0.4) == 0.4
    async with services.engine.begin() as connection:
        assert await end_job(connection, await fetch_job(connection, job), "paused")
        await restart_job(connection, job, ["paused"], "v", forgets=forgets)
    assert await claim(services, job, 0.4) == 0.4
    assert (await claim(services, job, 0.4) == "max_cost") != forgets


async def test_a_model_keeps_one_pace_over_all_workers(services: Services, domain: str) -> None:
    async def turn() -> float:
        async with services.engine.begin() as connection:
            return await next_start(connection, domain, rate=0.5)

    waits = sorted(await asyncio.gather(*(turn() for _ in range(5))))
    assert waits[0] == 0.0
    # Two seconds from one to the next, less what the questions took.
    assert all(before < after for before, after in itertools.pairwise(waits))
    assert waits[4] > 4


async def test_a_call_that_is_cancelled_in_its_wait_has_claimed_nothing(
    services: Services, stored: Callable[..., Any], domain: str, adjust: Callable[..., None]
) -> None:
    job = await stored(max_cost=1.0)
    adjust(model_rate=0.001, prices={domain: [1.0, 1.0]})
    options = await resolve_context(Context(domain=domain, budget=Budget(job=job)))
    await Claims(options, domain, []).claim()  # the first has its turn at once
    waiting = asyncio.create_task(Claims(options, domain, []).claim())
    await asyncio.sleep(0.5)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with services.engine.connect() as connection:
        made = (await fetch_job(connection, job)).llm_calls
        reserved = await connection.scalar(select(JobRow.reserved).where(JobRow.id == job))
    assert made == 1
    assert reserved == pytest.approx(ANSWER_TOKENS / 1_000_000)


async def test_no_more_calls_are_in_flight_than_slots_over_two_processes(
    services: Services, domain: str
) -> None:
    both = [AdvisoryLocks(services.engine) for _ in range(2)]
    inside, most = 0, 0

    async def hold(locks: AdvisoryLocks) -> None:
        nonlocal inside, most
        async with locks.slot(domain, 3):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.05)
            inside -= 1

    try:
        await asyncio.gather(*(hold(locks) for locks in both for _ in range(8)))
    finally:
        for locks in both:
            await locks.close()
    assert most == 3


def test_a_spent_budget_names_what_raises_it() -> None:
    from re2llm.runtime.allowance import _job_over

    assert isinstance(_job_over("learn-1", "max_cost"), BudgetSpentError)
    assert "jobs retry learn-1 --max-cost" in str(_job_over("learn-1", "max_cost"))
    assert "jobs resume learn-1" in str(_job_over("learn-1", "state"))
    limits: tuple[DayLimit, ...] = ("usd_per_day", "calls_per_day")
    for limit in limits:
        assert limit in str(_job_over("learn-1", "day"))
        assert str(_job_over("learn-1", limit)).startswith(f"{limit}: The autopilot's budget")
    assert str(_job_over("learn-1", "off")).startswith("autopilot: It was turned off.")
    assert str(_job_over("learn-1", "held")).startswith("autopilot: It is held.")


@pytest.mark.long
def test_commands_without_jobs_do_not_load_dbos() -> None:
    code = (
        "import sys, re2llm.cli, re2llm.operations.learning.learn; sys.exit('dbos' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
