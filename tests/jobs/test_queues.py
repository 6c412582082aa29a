"""Clients of the queues: however many ask at once, they take few connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from dbos import DBOSClient
from learnt import libpq
from re2llm.errors import DatabaseError
from re2llm.jobs.queue import dbos_client
from re2llm.jobs.queue.control import cancel_job, jobs, pause, resume
from re2llm.jobs.queue.dbos_client import queue_client
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.schedules.schedules import list_schedules
from re2llm.jobs.worker.sweep import sweep
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The engines that were made, each with connections beside those of the pool."""
    made: list[Any] = []
    make = dbos_client.make_sync_engine

    def watched(*given: Any, **options: Any) -> Any:
        made.append(make(*given, **options))
        return made[-1]

    monkeypatch.setattr(dbos_client, "make_sync_engine", watched)
    return made


async def test_all_who_ask_at_once_share_a_client(
    services: Services, films: str, engines: list[Any]
) -> None:
    await asyncio.gather(*(list_schedules(Context(domain=films)) for _ in range(40)))
    assert len(engines) == 1
    async with queue_client(services):
        assert len(engines) == 2
    assert all(engine.pool.checkedin() == 0 for engine in engines)  # closed


async def test_one_that_leaves_closes_nothing_to_the_others(
    services: Services, engines: list[Any]
) -> None:
    async with queue_client(services) as client:
        leaving = asyncio.create_task(_hold(services))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await asyncio.to_thread(client.list_schedules)
    assert len(engines) == 1


async def test_after_a_failure_the_next_one_tries_again(
    services: Services, engines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(client: Any) -> None:
        del client
        raise DatabaseError("RE2LLM_DATABASE_URL", "It is away.", "Wait.")

    with monkeypatch.context() as patch:
        patch.setattr(dbos_client, "_migrate", fail)
        tries = await asyncio.gather(*(_hold(services) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, DatabaseError) for one in tries)
    async with queue_client(services) as client:
        await asyncio.to_thread(client.list_schedules)
    assert len(engines) == 2


async def _hold(services: Services) -> None:
    async with queue_client(services):
        await asyncio.sleep(60)


async def test_one_query_counts_the_pieces_of_all_jobs(
    loaded: Callable[..., Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=await loaded(2))
    given = [await submit(context, "tidy", {}) for _ in range(3)]
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for done, one in enumerate(given):
            for number in range(done + 1):  # the last one of each has failed
                connection.execute(
                    "INSERT INTO re2llm_jobs.workflow_status"
                    " (workflow_uuid, parent_workflow_id, status) VALUES (%s, %s, %s)",
                    [
                        f"{one.workflow}-piece-{number}",
                        one.workflow,
                        "SUCCESS" if number < done else "ERROR",
                    ],
                )
    asked: list[Any] = []
    list_workflows = DBOSClient.list_workflows_async

    async def watched(self: DBOSClient, **named: Any) -> Any:
        asked.append(named)
        return await list_workflows(self, **named)

    monkeypatch.setattr(DBOSClient, "list_workflows_async", watched)
    found = {one.job.id: one.done for one in await jobs(context, domain=context.domain)}
    assert found == {one.id: done for done, one in enumerate(given)}
    assert len(asked) == 1
    for one in given:
        await cancel_job(context, one.id)


async def test_workflows_that_are_over_are_swept_and_no_others(
    services: Services, films: str, loaded: Callable[..., Any], url: str
) -> None:
    domain = await loaded(2)
    context = Context(domain=domain)
    ended, paused, left = [await submit(context, "tidy", {}) for _ in range(3)]
    runs = await submit(Context(domain=films), "tidy", {})
    tick = f"sched-{domain}-1"
    with psycopg.connect(libpq(url), autocommit=True) as connection:

        def insert(workflow: str, parent: str | None = None, status: str = "SUCCESS") -> None:
            connection.execute(
                "INSERT INTO re2llm_jobs.workflow_status "
                "(workflow_uuid, parent_workflow_id, status, completed_at) VALUES (%s, %s, %s, 0)",
                [workflow, parent, status],
            )
            connection.execute(
                "INSERT INTO re2llm_jobs.operation_outputs "
                "(workflow_uuid, function_id, function_name) VALUES (%s, 1, 'do')",
                [workflow],
            )

        def there(*workflows: str) -> set[str]:
            found = connection.execute(
                "SELECT workflow_uuid FROM re2llm_jobs.workflow_status UNION "
                "SELECT workflow_uuid FROM re2llm_jobs.operation_outputs"
            ).fetchall()
            return set(workflows) & {workflow for (workflow,) in found}

        for one in (ended, paused, left, runs):
            insert(f"{one.workflow}-0", one.workflow)
            insert(f"{one.workflow}-1", one.workflow, "ENQUEUED")
        insert(tick)
        own = [f"{one.workflow}{end}" for one in (ended, paused, left) for end in ("", "-0", "-1")]
        kept = [f"{runs.workflow}{end}" for end in ("", "-0", "-1")]
        await cancel_job(context, ended.id)
        await pause(context, paused.id)
        await sweep(services)
        assert there(*own, *kept) == {*own, *kept}  # those that ended just now, too
        assert not there(tick)
        await resume(context, paused.id)
        again = f"{paused.id}-2"
        await delete_domain(Context(), domain)
        await sweep(services, kept=timedelta(seconds=-60))
        assert there(*own, *kept, again) == set(kept)
    await cancel_job(Context(), runs.id)
