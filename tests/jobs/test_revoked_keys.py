"""What an API key has started ends when the key is revoked, and goes on under another one."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from piloted import missed
from re2llm.errors import NotGrantedError
from re2llm.jobs.autopilot.switch import run_once, turn_on
from re2llm.jobs.queue.control import job, jobs, pause, resume, retry
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.schedules.schedules import add_schedule, list_schedules
from re2llm.jobs.schedules.ticks import submit_tick
from re2llm.jobs.worker import pieces
from re2llm.knowledge.job_budgets import claim_job_call
from re2llm.operations.accounts.keys import revoke_key
from re2llm.operations.autopilot.manage import resume_autopilot
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

Load = Callable[..., Any]


def key_of(context: Context) -> str:
    assert context.caller is not None
    return context.caller.key_id


async def test_its_jobs_stop_and_another_goes_on_with_them(
    services: Services, loaded: Load, holder: Callable[..., Any]
) -> None:
    domain = await loaded(2, hints=1)
    thief, other = await holder(domain), await holder(domain)
    mine = await submit(thief, "verify", {})
    others = await submit(other, "verify", {})
    plan = await pieces.plan(mine.id, mine.attempt)
    assert plan is not None
    revoked = await revoke_key(Context(), key_of(thief))
    assert (revoked.jobs_stopped, revoked.autopilots_held) == (1, 0)
    assert "over" in await pieces.do_piece(mine.id, mine.attempt, plan["shared"], plan["pieces"][0])
    async with services.engine.begin() as connection:  # nor does a piece that has begun pay
        assert await claim_job_call(connection, mine.id, 0.1) == "state"
    await pieces.finish(mine.id, mine.attempt, plan["shared"], {})
    stopped = (await job(Context(), mine.id)).job
    assert (stopped.state, stopped.reason) == (
        "stopped",
        "The API key that started it was revoked.",
    )
    assert (await job(Context(), others.id)).job.state == "running"
    with pytest.raises(NotGrantedError, match="revoked"):
        await retry(thief, mine.id)
    assert (await retry(other, mine.id)).job.state == "running"
    again = await revoke_key(Context(), key_of(thief))
    assert (again.revoked, again.jobs_stopped) == (False, 0)
    assert (await revoke_key(Context(), key_of(other))).jobs_stopped == 2


async def test_it_starts_nothing_more(loaded: Load, holder: Callable[..., Any]) -> None:
    domain = await loaded(2, hints=1)
    thief = await holder(domain)
    paused = await pause(thief, (await submit(thief, "verify", {})).id)
    await revoke_key(Context(), key_of(thief))
    with pytest.raises(NotGrantedError, match="revoked"):
        await resume(thief, paused.job.id)
    with pytest.raises(NotGrantedError, match="revoked"):
        await submit(thief, "verify", {})
    with pytest.raises(NotGrantedError, match="revoked"):
        await turn_on(thief, AutopilotPlan(calls_per_day=10))
    assert [one.job.state for one in await jobs(Context(), domain=domain)] == ["paused"]
    assert not [one for one in await list_schedules(thief) if one.domain == domain]


async def test_its_schedules_end_when_they_are_due(
    services: Services, loaded: Load, holder: Callable[..., Any]
) -> None:
    domain = await loaded(2, hints=1)
    thief, other = await holder(domain), await holder(domain)
    for context, name in ((thief, "thiefs"), (other, "others")):
        await add_schedule(context, "verify", "0 3 * * *", name=f"{name} {domain}")
    due = dt.datetime.now(dt.UTC).replace(microsecond=0)
    given = {"kind": "verify", "domain": domain, "cron": "0 3 * * *", "zone": "UTC"} | {
        "arguments": {},
        "limits": {},
    }
    thiefs = given | {"name": f"thiefs {domain}", "key": key_of(thief)}
    await submit_tick(due, thiefs)
    [first] = await jobs(Context(), domain=domain)
    assert (await revoke_key(Context(), key_of(thief))).jobs_stopped == 1
    assert (await job(Context(), first.job.id)).job.state == "stopped"
    await submit_tick(due + dt.timedelta(seconds=1), thiefs)
    assert len(await jobs(Context(), domain=domain)) == 1
    left = [one.name for one in await list_schedules(other) if one.domain == domain]
    assert left == [f"others {domain}"]


async def test_a_schedule_remembers_its_key(
    services: Services, loaded: Load, holder: Callable[..., Any]
) -> None:
    thief = await holder(await loaded(1))
    await add_schedule(thief, "tidy", "0 3 * * *")
    async with queue_client(services) as client:
        [stored] = [
            one["context"]
            for one in client.list_schedules()
            if one["context"]["domain"] == thief.domain
        ]
    assert stored["key"] == key_of(thief)


@pytest.mark.long
async def test_its_autopilot_is_held_with_its_step(
    services: Services, loaded: Load, holder: Callable[..., Any]
) -> None:
    domain = await loaded(4)
    thief = await holder(domain)
    await turn_on(thief, AutopilotPlan(calls_per_day=100, batch=2))
    await missed(domain, 2)
    step = (await run_once(Context(domain=domain))).decisions[0]
    assert step.job is not None
    revoked = await revoke_key(Context(), key_of(thief))
    assert (revoked.jobs_stopped, revoked.autopilots_held) == (1, 1)
    assert (await job(Context(), step.job)).job.state == "stopped"
    held = await run_once(Context(domain=domain))
    assert (held.state, held.decisions[0].reason) == ("held", "key_revoked")
    assert "resume" in held.remedy
    with pytest.raises(NotGrantedError, match="revoked"):
        await resume_autopilot(thief)
    assert (await resume_autopilot(Context(domain=domain))).state == "on"
    assert not (await revoke_key(Context(), key_of(thief))).autopilots_held
