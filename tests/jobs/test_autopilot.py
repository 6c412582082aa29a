"""The autopilot: off by default, a step at a time, within its budget, and held for drift."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from piloted import a_window_ago, find_schedule, missed, rewarded
from re2llm.errors import InputError
from re2llm.jobs.autopilot import actions, cycle, switch
from re2llm.jobs.autopilot.switch import run_once, turn_off, turn_on
from re2llm.jobs.queue.control import cancel_job, job, jobs
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.schedules.schedules import list_schedules, remove_schedule
from re2llm.knowledge.autopilot.autopilots import find_autopilot, set_autopilot_state
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.engine import make_engine
from re2llm.operations.autopilot.manage import resume_autopilot, show_autopilot
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.operations.learning.from_feedback import learn_from_feedback
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from re2llm.runtime.sharing import ServiceSet
from workers import Workers, row

Load = Callable[..., Any]
SECONDS = 20
"""After which something waits for ever."""


@pytest.mark.long
async def test_it_is_off_by_default_and_one_command_turns_it_on(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(2))
    assert (await show_autopilot(context)).state == "off"
    for verb in (run_once, resume_autopilot):
        with pytest.raises(InputError, match="off"):
            await verb(context)
    off = await turn_off(context)
    assert (off.state, off.decisions) == ("off", [])
    assert off.says.startswith("It was off before; nothing has changed.")
    await missed(context.domain or "", 1)
    assert await jobs(context, domain=context.domain) == []
    on = await turn_on(context, AutopilotPlan(calls_per_day=50))
    assert (on.state, on.decisions[0].action) == ("on", "on")
    [schedule] = [one for one in await list_schedules(context) if one.domain == context.domain]
    assert (schedule.name, schedule.kind) == (on.schedule, "autopilot")
    async with services.engine.connect() as connection:
        number = (await find_domain(connection, context.domain or "")).id
        before = await find_autopilot(connection, number)
    again = await turn_on(context, AutopilotPlan(usd_per_day=5.0))
    async with services.engine.connect() as connection:
        after = await find_autopilot(connection, number)
    assert before is not None
    assert after is not None
    assert before.since == after.since  # what is expected of the release stays
    assert again.days[0].max_cost == 5.0
    assert (await turn_off(context)).state == "off"
    assert [one for one in await list_schedules(context) if one.domain == context.domain] == []


async def test_a_budget_that_cannot_be_kept_is_refused(loaded: Load, adjust: Any) -> None:
    with pytest.raises(InputError, match="no limit"):
        AutopilotPlan()
    context = Context(domain=await loaded(1))
    adjust(model="openai:any", prices={})
    with pytest.raises(InputError, match="calls by `calls_per_day`"):
        await turn_on(context, AutopilotPlan(usd_per_day=5.0))


async def test_a_bad_cron_leaves_a_running_one_as_it_was(loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    await turn_on(context, AutopilotPlan(calls_per_day=50))
    before = await list_schedules(context)
    for cron in ("every day", "0 0 30 2 *"):
        with pytest.raises(InputError, match=r"^cron: "):
            await turn_on(context, AutopilotPlan(calls_per_day=60), cron=cron)
    after = await list_schedules(context)
    assert [one.name for one in after] == [one.name for one in before]
    plan = (await show_autopilot(context)).plan
    assert plan is not None
    assert plan["calls_per_day"] == 50


async def test_one_that_is_held_meanwhile_stays_held(
    services: Services, loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=await loaded(1))
    await turn_on(context, AutopilotPlan(calls_per_day=50))
    add = switch.add_schedule

    async def slow(*given: Any, **more: Any) -> Any:
        async with services.engine.begin() as connection:
            number = (await find_domain(connection, context.domain or "")).id
            await set_autopilot_state(connection, number, "held")
        return await add(*given, **more)

    monkeypatch.setattr(switch, "add_schedule", slow)
    with pytest.raises(InputError, match="held"):
        await turn_on(context, AutopilotPlan(calls_per_day=60), cron="0 * * * *")
    assert (await show_autopilot(context)).state == "held"


async def test_its_times_stay_unless_others_are_given(loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    for given, kept in (
        ("0 2 * * *", "0 2 * * *"),
        (None, "0 2 * * *"),
        ("0 3 * * *", "0 3 * * *"),
    ):
        shown = await turn_on(context, AutopilotPlan(calls_per_day=50), cron=given)
        found = await find_schedule(context, shown.schedule or "")
        assert found is not None
        assert found.cron == kept


async def test_its_schedule_is_removed_with_it_alone(loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    name = (await turn_on(context, AutopilotPlan(calls_per_day=50))).schedule or ""
    with pytest.raises(InputError, match="autopilot off"):
        await remove_schedule(context, name)
    await turn_off(context)
    assert await find_schedule(context, name) is None


@pytest.mark.long
async def test_misses_wait_for_it_and_are_learned_from_in_one_job(
    services: Services, loaded: Load
) -> None:
    await learn_from_feedback(services)  # from what other tests have left
    domain = await loaded(4)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, batch=3))
    await missed(domain, 2)
    waits = await run_once(context)
    assert (waits.decisions[0].action, waits.decisions[0].reason) == ("wait", "misses")
    # Nothing else learns from them meanwhile, without the autopilot's budget.
    before = services.feedback_budget.llm_calls
    await learn_from_feedback(services)
    assert services.feedback_budget.llm_calls == before
    await missed(domain, 1)
    begun = await run_once(context)
    assert begun.decisions[0].action == "learn"
    assert begun.decisions[0].figures["misses"] == 3
    [step] = await jobs(context, domain=domain)
    assert step.job.id == begun.decisions[0].job
    assert step.job.max_llm_calls == 500  # its share of the day
    assert len((await job(context, step.job.id)).job.arguments["keys"]) == 3
    # While it runs, no other step begins; waiting is one decision, counted.
    for times in (1, 2):
        waits = await run_once(context)
        assert (waits.decisions[0].reason, waits.decisions[0].times) == ("job", times)
    await cancel_job(context, step.job.id)
    assert (await run_once(context)).decisions[0].reason == "misses"  # they are seen once


async def test_cycles_at_the_same_time_begin_one_step(loaded: Load) -> None:
    domain = await loaded(4)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, batch=1))
    await missed(domain, 1)
    await asyncio.gather(*(run_once(context) for _ in range(3)))
    shown = await show_autopilot(context)
    assert [one.action for one in shown.decisions].count("learn") == 1
    assert len(await jobs(context, domain=domain)) == 1


@pytest.mark.long
async def test_many_cycles_at_once_leave_a_small_pool_usable(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(4)
    await turn_on(Context(domain=domain), AutopilotPlan(calls_per_day=1_000, batch=1))
    await missed(domain, 1)
    few = services.settings.model_copy(update={"pool_size": 2})
    url = services.engine.url.render_as_string(hide_password=False)
    small = Services(few, make_engine(url, few), services.embedder)
    context = Context(domain=domain, services=ServiceSet.of(small))
    try:
        async with asyncio.timeout(SECONDS):
            shown = await asyncio.gather(*(run_once(context) for _ in range(8)))
    finally:
        await small.close()
    assert {one.state for one in shown} == {"on"}
    assert len(await jobs(Context(), domain=domain)) == 1


async def test_a_domain_can_be_deleted_beside_a_cycle(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=await loaded(4))
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, batch=1))
    await missed(context.domain or "", 1)

    async def late(*given: Any, **more: Any) -> Any:
        await delete_domain(context, context.domain or "")
        return await submit(*given, **more)

    monkeypatch.setattr(actions, "submit", late)
    async with asyncio.timeout(SECONDS):
        with pytest.raises(InputError, match="no domain"):
            await run_once(context)


async def test_a_cycle_does_not_overrule_a_person_who_was_faster(
    services: Services, loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=await loaded(1))
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, reference=100))
    await a_window_ago(services, context.domain or "")
    await rewarded(services, context.domain or "", [1.0, 0.0] * 50 + [0.0] * 300)
    look = cycle.observe

    async def slow(*given: Any) -> Any:
        found = await look(*given)
        await turn_off(context)
        return found

    monkeypatch.setattr(cycle, "observe", slow)
    async with asyncio.timeout(SECONDS):
        shown = await run_once(context)
    assert (shown.state, shown.decisions[0].action) == ("off", "off")


@pytest.mark.long
@pytest.mark.parametrize("place", ["store_decision", "begin"])
async def test_a_cycle_that_is_killed_goes_on(
    loaded: Load, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    domain = await loaded(4)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, batch=1))
    await missed(domain, 2)

    async def killed(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(cycle, place, killed)
        with pytest.raises(KeyboardInterrupt):
            await run_once(context)
    begun = len(await jobs(context, domain=domain))
    assert begun == (place == "store_decision")  # it was submitted, and nobody wrote it down
    again = (await run_once(context)).decisions[0]
    assert (again.action, again.reason) == (("wait", "job") if begun else ("learn", "misses"))
    [step] = await jobs(context, domain=domain)
    assert len((await job(context, step.job.id)).job.arguments["keys"]) == 2  # no miss is lost


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_killed_worker_leaves_the_cycle_to_another(loaded: Load, workers: Workers) -> None:
    domain = await loaded(4)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(calls_per_day=40, batch=1))
    await missed(domain, 2)
    submitted = await submit(context, "autopilot", {})
    first = workers.start()
    workers.until(lambda connection: row(connection, submitted.id)["state"] == "done", "the cycle")
    workers.strike(first)  # in the middle of the step that the cycle has begun
    second = workers.start()
    [step] = [one.job for one in await jobs(context, domain=domain) if one.job.kind == "learn"]
    ended = workers.until_state(step.id, "done", "stopped")
    assert ended["calls"] <= 20  # half of the day
    workers.stop(second)
    assert (await show_autopilot(context)).days[0].llm_calls == ended["calls"]


async def test_a_drop_of_reward_holds_it_and_says_so(
    services: Services, loaded: Load, caplog: pytest.LogCaptureFixture
) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(calls_per_day=100, reference=100))
    await a_window_ago(services, domain)
    await rewarded(services, domain, [1.0, 0.0] * 50)
    await rewarded(services, domain, [1.0, 0.0] * 150)
    assert (await run_once(context)).state == "on"
    await rewarded(services, domain, [0.0] * 150)
    with caplog.at_level(logging.WARNING, "re2llm.jobs.autopilot.switch"):
        held = await run_once(context)
    assert (held.state, held.decisions[0].reason) == ("held", "drift")
    assert held.decisions[0].figures["reward"]["high"] < 0
    assert "Live reward fell from 0.5000" in held.says
    assert "re2llm autopilot resume" in held.remedy
    assert "re2llm autopilot show" in caplog.text
    # It stays held, and cannot be turned on past it.
    assert (await run_once(context)).state == "held"
    with pytest.raises(InputError, match="held"):
        await turn_on(context, AutopilotPlan(calls_per_day=100))
    # A person looks, and goes on: present reward is what is expected from then on.
    assert (await resume_autopilot(context)).state == "on"
    await a_window_ago(services, domain)
    await rewarded(services, domain, [0.0] * 100 + [0.0, 0.2] * 100)
    assert (await run_once(context)).state == "on"
