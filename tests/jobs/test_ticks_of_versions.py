"""Ticks are taken by whichever worker is up, whatever versions of the code were there before."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from dbos._scheduler import backfill_schedule
from dbos._sys_db import SystemDatabase
from learnt import libpq
from re2llm.jobs.queue.control import jobs
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.schedules.schedules import add_schedule, remove_schedule
from re2llm.jobs.worker.launch import share_ticks
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from workers import Workers

Load = Callable[..., Any]


@pytest.fixture
def taken_back(url: str) -> Any:
    """Have a version registered that is newer than all others, and of which no worker is up."""
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO re2llm_jobs.application_versions "
            "(version_id, version_name, application_name, version_timestamp) "
            "VALUES ('9', '9.9/9999/x', 're2llm', 9999999999999)"
        )
        yield
        connection.execute("DELETE FROM re2llm_jobs.application_versions WHERE version_id = '9'")


@pytest.fixture
async def hourly(loaded: Load) -> Any:
    """Have a schedule that was due an hour ago."""
    domain = await loaded(1)
    made = await add_schedule(Context(domain=domain), "learn", "0 * * * *")
    yield made
    await remove_schedule(Context(), made.name)


async def test_a_tick_is_of_no_version(
    services: Services, hourly: Any, taken_back: None, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name in ("get_latest_application_version", "_is_latest_version"):
        monkeypatch.setattr(SystemDatabase, name, getattr(SystemDatabase, name))  # to be undone
    share_ticks()
    now = dt.datetime.now(dt.UTC)
    async with queue_client(services) as client:
        database = client._sys_db
        assert database._is_latest_version("0.1")
        [tick] = await asyncio.to_thread(
            backfill_schedule, database, hourly.name, now - dt.timedelta(hours=1), now
        )
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        versions = connection.execute(
            "DELETE FROM re2llm_jobs.workflow_status WHERE workflow_uuid = %s "
            "RETURNING application_version",
            [tick],
        ).fetchall()
    assert versions == [(None,)]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_schedule_goes_on_after_a_version_was_taken_back(
    workers: Workers, hourly: Any, taken_back: None, url: str
) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=70)
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(
            "UPDATE re2llm_jobs.workflow_schedules SET last_fired_at = %s WHERE schedule_name = %s",
            [past.isoformat(), hourly.name],
        )
    worker = workers.start()

    def submitted(connection: psycopg.Connection[Any]) -> bool:
        found = connection.execute("SELECT id FROM re2llm.job WHERE schedule = %s", [hourly.name])
        return len(found.fetchall()) == 1

    workers.until(submitted)
    workers.stop(worker)
    assert len(await jobs(Context(), domain=hourly.domain)) == 1
