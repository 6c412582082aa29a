"""An autopilot and the schedule of its cycles change together, whoever changes them at once."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from piloted import find_schedule
from re2llm.errors import InputError
from re2llm.jobs.autopilot.job import AutopilotCycle
from re2llm.jobs.autopilot.switch import turn_off, turn_on
from re2llm.jobs.kinds.base import Work
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.schedules.schedules import add_schedule, list_schedules
from re2llm.jobs.schedules.ticks import submit_tick
from re2llm.operations.autopilot.manage import show_autopilot
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

Load = Callable[..., Any]
PLAN = AutopilotPlan(calls_per_day=50)


async def assert_whole(context: Context) -> str:
    shown = await show_autopilot(context)
    there = await find_schedule(context, f"autopilot-{context.domain}") is not None
    assert there == (shown.state == "on")
    assert "missing" not in shown.says
    return shown.state


@pytest.mark.parametrize("first", ["on", "off"])
async def test_turned_on_and_off_at_once_it_is_one_of_both(loaded: Load, first: str) -> None:
    context = Context(domain=await loaded(1))
    for _ in range(5):
        changes = [turn_on(context, PLAN), turn_off(context)]
        await asyncio.gather(*(changes if first == "on" else changes[::-1]))
        await assert_whole(context)


async def test_a_cycle_that_finds_it_off_leaves_the_schedule_of_who_turns_it_on(
    loaded: Load,
) -> None:
    context = Context(domain=await loaded(1))
    for _ in range(3):
        await asyncio.gather(AutopilotCycle().finish(Work(context, {})), turn_on(context, PLAN))
        assert await assert_whole(context) == "on"
        await turn_off(context)


async def test_of_plans_that_are_given_at_once_each_is_taken_and_the_later_stays(
    loaded: Load,
) -> None:
    context = Context(domain=await loaded(1))
    for _ in range(3):
        crons = {60 + minute: f"{minute} * * * *" for minute in range(4)}
        await asyncio.gather(
            *(
                turn_on(context, AutopilotPlan(calls_per_day=calls), cron=cron)
                for calls, cron in crons.items()
            )
        )
        shown = await show_autopilot(context)
        assert [one.action for one in shown.decisions] == ["on"] * 4
        assert shown.plan is not None
        found = await find_schedule(context, shown.schedule or "")
        assert found is not None
        assert found.cron == crons[shown.plan["calls_per_day"]]
        await delete_domain(context, context.domain or "")
        await loaded(1)


async def test_of_schedules_of_one_name_at_once_the_first_stays(loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    made = await asyncio.gather(
        *(add_schedule(context, "train", f"{minute} 3 * * *") for minute in range(6)),
        return_exceptions=True,
    )
    [kept] = [one for one in made if not isinstance(one, BaseException)]
    refused = [one for one in made if isinstance(one, InputError)]
    assert len(refused) == 5
    assert all("There is a schedule" in str(one) for one in refused)
    assert await find_schedule(context, f"train-{context.domain}") == kept


async def test_a_name_that_another_schedule_has_is_refused(loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    name = f"autopilot-{context.domain}"
    other = await add_schedule(context, "tidy", "0 3 * * *", name=name)
    with pytest.raises(InputError, match="There is a schedule"):
        await turn_on(context, PLAN)
    assert (await show_autopilot(context)).state == "off"
    assert (await turn_off(context)).state == "off"
    assert await find_schedule(context, name) == other


async def test_a_schedule_that_is_missing_is_said_and_made_again(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(1))
    name = (await turn_on(context, PLAN)).schedule or ""
    async with queue_client(services) as client:
        await asyncio.to_thread(client.delete_schedule, name)
    shown = await show_autopilot(context)
    assert shown.state == "on"
    assert f"{name!r} is missing" in shown.says
    assert "`re2llm autopilot on --budget-calls 2000/day`" in shown.remedy
    again = await turn_on(context, PLAN)
    assert again.remedy == ""
    assert await assert_whole(context) == "on"


async def test_the_schedule_of_a_catalogue_that_is_gone_is_not_taken_over(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    name = (await turn_on(context, PLAN, cron="0 5 * * *")).schedule or ""
    async with queue_client(services) as client:
        gone = client.get_schedule(name)["context"]
    await delete_domain(context, domain)
    assert await loaded(1) == domain
    await turn_on(context, PLAN)
    assert await assert_whole(context) == "on"
    await submit_tick(dt.datetime.now(dt.UTC), gone)
    assert await assert_whole(context) == "on"
    assert len([one for one in await list_schedules(context) if one.domain == domain]) == 1
