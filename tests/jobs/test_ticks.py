"""Ticks that submit no job: refused ones, and the second one of a night that has an hour twice."""

import datetime as dt
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from re2llm.data.sample import sample_items
from re2llm.errors import DatabaseError, InputError, LimitReachedError, ModelDownError
from re2llm.jobs.queue.control import cancel_job, jobs, retry
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.queue.submit import Origin
from re2llm.jobs.schedules import ticks
from re2llm.jobs.schedules.schedules import add_schedule, list_schedules, remove_schedule
from re2llm.jobs.schedules.ticks import next_tick, submit_tick
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.jobs.jobs import store_job
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.operations.loading.load import load_domain
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

Load = Callable[..., Any]
BERLIN = "Europe/Berlin"


def schedule(domain: str, **other: Any) -> dict[str, Any]:
    return {
        "name": f"learn-{domain}",
        "kind": "learn",
        "domain": domain,
        "cron": "0 * * * *",
        "zone": "UTC",
        "arguments": {},
        "limits": {"max_llm_calls": 5},
    } | other


def this_hour() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    "error",
    [
        InputError("sessions", "There are none.", "Load some."),
        LimitReachedError("jobs", "This key has 10 jobs running.", "Wait."),
        ModelDownError("openai:any", "refused", "words of the provider"),
    ],
)
async def test_a_job_that_is_refused_is_listed_as_failed(
    loaded: Load, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    domain = await loaded(1)

    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ticks, "submit", refuse)
    for _ in range(2):  # a worker that was killed in between does it again
        await submit_tick(this_hour(), schedule(domain))
    [failed] = [one.job for one in await jobs(Context(), domain=domain)]
    assert (failed.state, failed.schedule) == ("failed", f"learn-{domain}")
    assert failed.max_llm_calls == 5
    assert failed.ended_at is not None
    assert str(error)[:20] in failed.reason
    assert "words of the provider" not in failed.reason
    with pytest.raises(InputError, match="refused before it began"):
        await retry(Context(), failed.id)
    monkeypatch.undo()
    await submit_tick(this_hour() + dt.timedelta(hours=1), schedule(domain))
    assert len(await jobs(Context(), domain=domain, state="running")) == 1
    assert (await cancel_job(Context(), failed.id)).job.state == "cancelled"


async def test_of_the_ended_jobs_of_a_schedule_the_newest_are_kept(
    services: Services, loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "KEPT", 3)
    domain, other = await loaded(1), f"another-{uuid.uuid4().hex[:6]}"
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, domain)).id
        for age, state, by in [
            *((age, "done", f"learn-{domain}") for age in (9, 8, 4)),
            *((age, "failed", f"learn-{domain}") for age in (7, 5)),
            (6, "stopped", f"learn-{domain}"),
            (10, "paused", f"learn-{domain}"),
            (11, "done", other),
            (12, "done", None),
        ]:
            await store_job(
                connection,
                number,
                id=f"learn-{age}-{other}",
                kind="learn",
                arguments={},
                version="1",
                state=state,
                schedule=by,
                created_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=age),
            )
    await submit_tick(this_hour(), schedule(domain))
    newest, *left = [one.job for one in await jobs(Context(), domain=domain)]
    assert (newest.state, newest.schedule) == ("running", f"learn-{domain}")
    assert [job.id.split("-")[1] for job in left] == ["4", "5", "6", "10", "11", "12"]


async def test_a_schedule_without_sessions_says_so_in_the_list(
    services: Services, domain: str
) -> None:
    await load_domain(services, domain, sample_items(), [])
    await submit_tick(this_hour(), schedule(domain))
    [failed] = [one.job for one in await jobs(Context(), domain=domain)]
    assert (failed.state, failed.pieces) == ("failed", None)
    assert "session" in failed.reason


async def test_a_lost_database_is_no_refusal(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = await loaded(1)

    async def lose(*_: object, **__: object) -> None:
        raise DatabaseError("RE2LLM_DATABASE_URL", "It is away.", "Start it.")

    monkeypatch.setattr(ticks, "submit", lose)
    with pytest.raises(DatabaseError):
        await submit_tick(this_hour(), schedule(domain))
    assert await jobs(Context(), domain=domain) == []


async def test_a_tick_of_a_catalogue_that_is_gone_leaves_the_schedule_of_its_successor(
    services: Services, loaded: Load
) -> None:
    domain = await loaded(1)
    context = Context(domain=domain)
    await add_schedule(context, "learn", "0 * * * *")
    async with queue_client(services) as client:
        gone = client.get_schedule(f"learn-{domain}")["context"]
    await delete_domain(context, domain)
    assert await loaded(1) == domain
    await remove_schedule(context, f"learn-{domain}")
    await add_schedule(context, "learn", "0 * * * *")
    await submit_tick(this_hour(), gone)
    assert await jobs(context, domain=domain) == []
    assert f"learn-{domain}" in [one.name for one in await list_schedules(context)]


@pytest.mark.parametrize(
    ("cron", "zone", "start", "due"),
    [
        ("30 2 * * *", BERLIN, "2026-10-24T20:00Z", ["25T00:30", "26T01:30"]),
        ("30 2 * * *", BERLIN, "2026-10-25T00:45Z", ["26T01:30"]),
        ("0,30 2 * * *", BERLIN, "2026-10-24T20:00Z", ["25T00:00", "25T00:30", "26T01:00"]),
        ("0 */2 * * *", BERLIN, "2026-10-24T23:00Z", ["25T00:00", "25T03:00"]),
        ("30 * * * *", BERLIN, "2026-10-24T23:45Z", ["25T00:30", "25T01:30", "25T02:30"]),
        ("30 0-23 * * *", BERLIN, "2026-10-24T23:45Z", ["25T00:30", "25T01:30", "25T02:30"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", ["04T14:45", "05T15:15"]),
        # A time that clocks skip is made up for when they go on.
        ("30 2 * * *", BERLIN, "2026-03-28T20:00Z", ["29T01:00", "30T00:30"]),
    ],
)
def test_a_nightly_job_is_due_once_a_night(
    cron: str, zone: str, start: str, due: list[str]
) -> None:
    at = dt.datetime.fromisoformat(start)
    for expected in due:
        at = next_tick(cron, zone, at)
        assert f"{at.astimezone(dt.UTC):%dT%H:%M}" == expected


async def test_of_an_hour_that_comes_twice_one_tick_submits(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = await loaded(1)
    submitted: list[str] = []

    async def submit(*_: object, origin: Origin, **__: object) -> None:
        submitted.append(str(origin.job_id))

    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime(2026, 10, 25, 1, 31, tzinfo=dt.UTC)

    monkeypatch.setattr(ticks, "submit", submit)
    monkeypatch.setattr(ticks, "dt", SimpleNamespace(datetime=Clock, UTC=dt.UTC))
    given = schedule(domain, cron="30 2 * * *", zone=BERLIN)
    for hour in (0, 1):
        await submit_tick(dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC), given)
    assert len(submitted) == 1
