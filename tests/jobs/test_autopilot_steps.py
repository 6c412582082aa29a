"""The steps of an autopilot: what each works on, and what becomes of one that cannot begin."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from piloted import missed
from re2llm.jobs.autopilot.job import AutopilotCycle
from re2llm.jobs.autopilot.switch import run_once, turn_off, turn_on
from re2llm.jobs.kinds.base import Work
from re2llm.jobs.queue.code_version import code_version
from re2llm.jobs.queue.control import cancel_job, job, jobs
from re2llm.jobs.schedules.schedules import add_schedule, list_schedules
from re2llm.jobs.schedules.ticks import submit_tick
from re2llm.jobs.worker import pieces
from re2llm.knowledge.autopilot.autopilots import set_autopilot_state
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.jobs.jobs import store_job
from re2llm.knowledge.releases import activate_release, rollback_release
from re2llm.knowledge.rollouts.rollouts import Change, change_rollout, latest_rollout
from re2llm.knowledge.schema.jobs import JobRow
from re2llm.knowledge.schema.log import FeedbackRow, RecommendationRow
from re2llm.knowledge.schema.tables import ReleaseRow
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.operations.learning.observe_picks import observe_picks
from re2llm.operations.releases.rollouts import show_canary, start_canary
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from rollouts import two_releases
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

Load = Callable[..., Any]


async def ended(context: Context) -> str:
    """Do the job that is running, and return how it has ended."""
    [running] = [one.job for one in await jobs(context, domain=context.domain, state="running")]
    plan = await pieces.plan(running.id, running.attempt)
    assert plan is not None
    for piece in plan["pieces"]:
        await pieces.do_piece(running.id, running.attempt, plan["shared"], piece)
    await pieces.finish(running.id, running.attempt, plan["shared"], {})
    return (await job(context, running.id)).job.state


async def store_step(connection: AsyncConnection, number: int, kind: str, **more: Any) -> None:
    """Store a step that an autopilot began."""
    given = {"arguments": {}, "version": code_version(), "autopilot": True, **more}
    await store_job(
        connection, number, id=f"{kind}-{number}-{uuid.uuid4().hex}", kind=kind, **given
    )


@pytest.mark.long
async def test_what_a_job_leaves_another_one_learns(loaded: Load) -> None:
    domain = await loaded(4)
    context = Context(domain=domain)
    await turn_on(context, AutopilotPlan(calls_per_day=2, batch=2))
    await missed(domain, 2)
    assert (await run_once(context)).decisions[0].action == "learn"
    assert await ended(context) == "stopped"  # it may make a single call
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, batch=2))
    again = (await run_once(context)).decisions[0]
    assert (again.action, again.figures["misses"]) == ("learn", 2)
    assert await ended(context) == "done"
    await turn_on(context, AutopilotPlan(calls_per_day=1, batch=2))
    assert (await run_once(context)).decisions[0].figures["misses"] == 0


@pytest.mark.long
async def test_of_one_key_only_its_share_is_learned_from_at_once(
    services: Services, loaded: Load, adjust: Any
) -> None:
    adjust(source_share=0.01)  # two of two hundred
    context = Context(domain=await loaded(4))
    await missed(context.domain or "", 5)
    options = await resolve_context(context)
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, context.domain or "")).id
        ids = select(RecommendationRow.id).where(RecommendationRow.domain_id == number)
        made = list(await connection.scalars(ids))
        for source, some in (("key", made[:4]), ("local", made[4:])):
            those = update(FeedbackRow).where(FeedbackRow.recommendation_id.in_(some))
            await connection.execute(those.values(source=source))
    observed = await observe_picks(options)
    assert len(observed.misses.keys() & set(made[:4])) == 2
    assert made[4] in observed.misses
    assert observed.settled == []  # the others wait


@pytest.mark.long
async def test_misses_of_lost_items_are_waited_past(services: Services, loaded: Load) -> None:
    context = Context(domain=await loaded(4))
    await turn_on(context, AutopilotPlan(calls_per_day=1_000, batch=1))
    await missed(context.domain or "", 1)
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, context.domain or "")).id
        those = update(RecommendationRow).where(RecommendationRow.domain_id == number)
        await connection.execute(those.values(history=["lost"]))
    for misses in (1, 0):
        shown = await run_once(context)
        assert (shown.state, shown.decisions[0].reason) == ("on", "misses")
        assert shown.decisions[0].figures["misses"] == misses
    assert await jobs(context, domain=context.domain) == []


async def test_training_waits_for_sessions(loaded: Load) -> None:
    context = Context(domain=await loaded(1, hints=1))
    await turn_on(context, AutopilotPlan(calls_per_day=1_000))
    shown = await run_once(context)
    assert (shown.state, shown.decisions[0].reason) == ("on", "sessions")
    assert shown.says.endswith("of 5.")


async def test_a_training_that_a_person_cancels_is_not_begun_again(loaded: Load) -> None:
    context = Context(domain=await loaded(8, hints=1))
    await turn_on(context, AutopilotPlan(calls_per_day=1_000))
    begun = (await run_once(context)).decisions[0]
    assert (begun.action, begun.reason) == ("train", "new_hints")
    await cancel_job(context, begun.job or "")
    assert (await run_once(context)).decisions[0].reason == "misses"


async def test_a_step_that_fails_after_a_person_looked_holds_it(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(1))
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, context.domain or "")).id
        await store_step(connection, number, "learn", state="failed", reason="It broke.")
    await turn_on(context, AutopilotPlan(calls_per_day=100))
    ends = update(JobRow).where(JobRow.domain_id == number)
    for after, reason in ((dt.timedelta(0), "misses"), (dt.timedelta(hours=1), "job_failed")):
        async with services.engine.begin() as connection:
            await connection.execute(ends.values(ended_at=JobRow.created_at + after))
        assert (await run_once(context)).decisions[0].reason == reason


async def test_a_release_that_was_rolled_back_is_not_rolled_out_again(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(1))
    made = await two_releases(services, context.domain or "")
    async with services.engine.begin() as connection:
        await activate_release(connection, made.domain_id, 2)
        await rollback_release(connection, made.domain_id)
        await store_step(connection, made.domain_id, "train", state="done", result={"release": 2})
    await turn_on(context, AutopilotPlan(calls_per_day=100))
    assert (await run_once(context)).decisions[0].action != "roll_out"
    async with services.engine.begin() as connection:
        forgotten = update(ReleaseRow).where(
            ReleaseRow.domain_id == made.domain_id, ReleaseRow.number == 2
        )
        await connection.execute(forgotten.values(activated_at=None))
    assert (await run_once(context)).decisions[0].action == "roll_out"


async def test_a_step_that_cannot_begin_holds_it_and_says_why(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(1))
    made = await two_releases(services, context.domain or "")
    await turn_on(context, AutopilotPlan(calls_per_day=100))
    async with services.engine.begin() as connection:
        await store_step(connection, made.domain_id, "train", state="done", result={"release": 2})
        releases = update(ReleaseRow).where(ReleaseRow.domain_id == made.domain_id)
        await connection.execute(releases.values(encoder="another"))
    held = await run_once(context)
    assert (held.state, held.decisions[0].reason) == ("held", "step_failed")
    assert "It could not roll out" in held.says
    assert "encoder" in held.says
    assert "re2llm autopilot resume" in held.remedy


async def test_a_rollout_that_it_stops_says_so(services: Services, loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    made = await two_releases(services, context.domain or "")
    await turn_on(context, AutopilotPlan(calls_per_day=100))
    await start_canary(context, 2)
    async with services.engine.begin() as connection:
        rollout = await latest_rollout(connection, made.domain_id)
        assert rollout is not None
        await change_rollout(connection, rollout, Change("held", "undecided", "So many.", {}))
    assert (await run_once(context)).decisions[0].action == "stop_rollout"
    last = (await show_canary(context)).events[-1]
    assert (last.kind, last.reason) == ("stopped", "undecided")
    assert "neither better nor worse" in last.words


async def test_a_cycle_that_decides_nothing_leaves_no_job(services: Services, loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    await turn_on(context, AutopilotPlan(calls_per_day=100))
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, context.domain or "")).id
        await set_autopilot_state(connection, number, "held")
    ended = await AutopilotCycle().finish(Work(context, {}))
    assert ended.result == {"state": "held", "action": "wait"}
    assert len(await schedules(context)) == 1


async def schedules(context: Context) -> list[str]:
    return [one.name for one in await list_schedules(context) if one.domain == context.domain]


@pytest.mark.long
async def test_no_schedule_is_left_behind(services: Services, loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    domain = context.domain or ""

    async def leave() -> None:
        await add_schedule(
            context, "autopilot", "0 0 1 1 *", name=f"autopilot-{domain}", cycles=True
        )

    await leave()
    ended = await AutopilotCycle().finish(Work(context, {}))  # it was never turned on
    assert ended.result == {"state": "off", "action": "wait"}
    assert await schedules(context) == []
    await leave()
    assert (await turn_off(context)).state == "off"
    assert await schedules(context) == []
    await leave()
    await delete_domain(context, domain)
    given = {"name": f"autopilot-{domain}", "domain": domain, "kind": "autopilot"}
    due = {"cron": "0 0 1 1 *", "zone": "UTC", "arguments": {}, "limits": {}}
    await submit_tick(dt.datetime.now(dt.UTC), {**given, **due})
    assert await schedules(context) == []
