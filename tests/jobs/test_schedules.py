"""Schedules: each tick once, and of missed ones only the last."""

import asyncio
import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from dbos import _scheduler as scheduler
from dbos._sys_db import SystemDatabase
from learnt import libpq
from re2llm.errors import InputError
from re2llm.jobs.queue.control import cancel_job, job, jobs
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.schedules.schedules import (
    add_schedule,
    check_times,
    list_schedules,
    remove_schedule,
)
from re2llm.jobs.schedules.ticks import next_tick, submit_tick
from re2llm.jobs.worker import launch
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from workers import Workers

Load = Callable[..., Any]


@pytest.mark.parametrize(
    "zone",
    [
        *("Factory", "posixrules", "localtime", "Mars/Olympus", "", "\0", "\ud800", "."),
        *("../zoneinfo/UTC", "/etc/localtime", "europe/berlin", "posix/UTC", "x" * 10_000),
    ],
)
def test_a_zone_that_is_not_the_same_everywhere_is_refused(zone: str) -> None:
    with pytest.raises(InputError, match="no time zone"):
        check_times("0 3 * * *", zone)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Etc/GMT+5"])
def test_a_zone_is_taken(zone: str) -> None:
    check_times("0 3 * * *", zone)


def test_the_last_day_of_a_month_can_be_meant() -> None:
    check_times("0 3 L * *")
    after = dt.datetime(2028, 2, 10, tzinfo=dt.UTC)
    assert next_tick("0 3 L * *", "UTC", after) == dt.datetime(2028, 2, 29, 3, tzinfo=dt.UTC)


async def test_what_cannot_be_scheduled_is_refused(loaded: Load) -> None:
    context = Context(domain=await loaded(1))
    for cron in ("", "0 3 * *", "0 3 * * * *", "61 3 * * *", "@daily", "R R * * *"):
        with pytest.raises(InputError, match="five fields"):
            await add_schedule(context, "train", cron)
    with pytest.raises(InputError, match="never due"):
        await add_schedule(context, "train", "0 3 31 2 *")
    for name in ("", "a\0b", "\ud800", "x" * 1_000):
        with pytest.raises(InputError, match="characters"):
            await add_schedule(context, "train", "0 3 * * *", name=name)
    await list_schedules(context)
    with pytest.raises(InputError, match="no time zone"):
        await add_schedule(context, "train", "0 3 * * *", zone="Mars/Olympus")
    with pytest.raises(InputError, match="cannot be scheduled"):
        await add_schedule(context, "evaluate", "0 3 * * *")
    with pytest.raises(InputError, match="no schedule"):
        await remove_schedule(context, "none")
    with pytest.raises(InputError, match="no schedule"):
        await remove_schedule(context, "\0")


async def test_schedules_are_listed_and_removed(loaded: Load) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    made = await add_schedule(context, "train", "0 3 * * *", zone="Europe/Berlin")
    assert made.name == f"train-{domain}"
    assert dt.datetime.fromisoformat(made.next_at).hour == 3
    assert made in await list_schedules(context)
    with pytest.raises(InputError, match="There is a schedule"):
        await add_schedule(context, "train", "0 4 * * *")
    await remove_schedule(context, made.name)
    assert made not in await list_schedules(context)


async def test_a_scheduled_training_can_leave_its_release_inactive(
    services: Services, loaded: Load
) -> None:
    context = Context(domain=await loaded(3, hints=2))
    inactive = {"activate": False}
    made = await add_schedule(context, "train", "0 * * * *", arguments=inactive)
    assert made.arguments == inactive
    async with queue_client(services) as client:
        stored = await asyncio.to_thread(client.get_schedule, made.name)
    assert stored is not None
    due = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    await submit_tick(due, stored["context"])
    [submitted] = await jobs(context, domain=context.domain)
    found = await job(context, submitted.job.id)
    assert found.job.arguments["activate"] is False
    await remove_schedule(context, made.name)
    with pytest.raises(InputError, match="activates no release"):
        await add_schedule(context, "learn", "0 * * * *", arguments=inactive)


async def test_of_missed_ticks_the_last_submits_one_job(loaded: Load) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    given = {
        "name": f"learn-{domain}",
        "kind": "learn",
        "domain": domain,
        "cron": "0 * * * *",
        "zone": "UTC",
        "arguments": {},
        "limits": {"max_llm_calls": 5},
    }
    due = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    for hours in (3, 2, 1, 0, 0):
        await submit_tick(due - dt.timedelta(hours=hours), given)
    [submitted] = await jobs(context, domain=domain)
    assert submitted.job.schedule == f"learn-{domain}"
    assert submitted.job.max_llm_calls == 5
    # While that one runs, no other is submitted.
    await submit_tick(due + dt.timedelta(hours=1), given)
    assert len(await jobs(context, domain=domain)) == 1
    await cancel_job(context, submitted.job.id)
    await submit_tick(due + dt.timedelta(hours=1), given)
    assert len(await jobs(context, domain=domain)) == 2


@pytest.fixture
def passing_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have DBOS pass over missed ticks, as in a worker."""
    for name in ("get_latest_application_version", "_is_latest_version"):
        monkeypatch.setattr(SystemDatabase, name, getattr(SystemDatabase, name))  # to be undone
    for name in ("backfill_schedule", "_enqueue_scheduled_workflow"):
        monkeypatch.setattr(scheduler, name, getattr(scheduler, name))  # to be undone
    launch.share_ticks()
    launch.pass_over_missed_ticks()


async def test_a_week_of_missed_minutes_is_one_tick(
    services: Services, loaded: Load, passing_over: None, url: str
) -> None:
    context = Context(domain=await loaded(1))
    made = await add_schedule(context, "learn", "* * * * *")
    now = dt.datetime.now(dt.UTC)
    minute = now.replace(second=0, microsecond=0)
    async with queue_client(services) as client:
        database = client._sys_db
        for _ in range(2):  # as by a worker that is stopped and started again
            ticks = await asyncio.to_thread(
                scheduler.backfill_schedule, database, made.name, now - dt.timedelta(days=7), now
            )
            assert len(ticks) <= 3
        # A machine that slept for a while goes through all of them.
        for minutes in range(9, 2, -1):
            planned = minute - dt.timedelta(minutes=minutes)
            scheduler._enqueue_scheduled_workflow(
                *(database, "tick", planned, f"sched-{made.name}-slept-{minutes}", made.name),
                {"cron": "* * * * *", "zone": "UTC"},
            )
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        stored = connection.execute(
            "DELETE FROM re2llm_jobs.workflow_status WHERE workflow_uuid LIKE %s "
            "RETURNING workflow_uuid",
            [f"sched-{made.name}-%"],
        ).fetchall()
    assert len(stored) == 1 or (len(stored) == 2 and dt.datetime.now(dt.UTC).minute != now.minute)
    await remove_schedule(context, made.name)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("30 2 * * *", 40),
        ("30 * * * *", 4),
        ("0 3 L * *", 99),
        ("*/20 1-3 * * 0", 40),
        ("0 0 29 2 *", 1_000),
        ("* * * * *", 0.2),
    ],
)
@pytest.mark.parametrize("change", ["2026-03-29T00:20", "2026-10-25T00:20"])  # in UTC
def test_the_tick_that_counts_is_made_up_for_when_clocks_change(
    passing_over: None, cron: str, days: float, change: str
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    stored = {"schedule": cron, "cron_timezone": zone.key, "context": "", "workflow_class_name": ""}
    database: Any = SimpleNamespace(
        get_schedule=lambda _: stored,
        get_workflow_status=lambda _: True,
        serializer=SimpleNamespace(deserialize=dict),
    )
    begins = dt.datetime.fromisoformat(change).replace(tzinfo=dt.UTC)
    for quarters in range(12):
        end = begins + dt.timedelta(minutes=15 * quarters)
        start = end - dt.timedelta(days=days)
        every = launch._backfill(database, "s", start, end)
        made_up = scheduler.backfill_schedule(database, "s", start, end)
        assert len(made_up) <= 4
        assert made_up == every[len(every) - len(made_up) :]
        due = [dt.datetime.fromisoformat(tick.removeprefix("sched-s-")) for tick in made_up]
        counts = [one for one in due if next_tick(cron, zone.key, one) >= end]
        assert len(counts) >= bool(every)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_two_workers_make_up_for_missed_ticks_with_one_job(
    loaded: Load, workers: Workers, url: str
) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    made = await add_schedule(context, "learn", "*/10 * * * *", limits={"max_llm_calls": 1})
    past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=45)
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(
            "UPDATE re2llm_jobs.workflow_schedules SET last_fired_at = %s WHERE schedule_name = %s",
            [past.isoformat(), made.name],
        )
    for _ in range(2):
        workers.start()

    def all_ticked(connection: psycopg.Connection[Any]) -> bool:
        ticks = connection.execute(
            "SELECT status FROM re2llm_jobs.workflow_status WHERE workflow_uuid LIKE %s",
            [f"sched-{made.name}-%"],
        ).fetchall()
        return bool(ticks) and {status for (status,) in ticks} == {"SUCCESS"}

    workers.until(all_ticked)
    for worker in list(workers.running):
        workers.stop(worker)
    assert len(await jobs(context, domain=domain)) == 1
    await remove_schedule(context, made.name)


async def test_no_tick_works_in_another_catalogue_of_the_same_name(loaded: Load) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    await add_schedule(context, "learn", "0 * * * *")
    options = await resolve_context(context)
    async with queue_client(options.services) as client:
        given = client.get_schedule(f"learn-{domain}")["context"]
    await delete_domain(context, domain)
    assert await loaded(1) == domain
    due = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    await submit_tick(due, given)
    assert await jobs(context, domain=domain) == []
    assert f"learn-{domain}" not in [one.name for one in await list_schedules(context)]
