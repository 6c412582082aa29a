"""Clients of the queues: however many ask at once, they take few connections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from re2llm.errors import DatabaseError
from re2llm.jobs import queues
from re2llm.jobs.queues import queue_client
from re2llm.jobs.schedules import list_schedules
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The engines that were made, each with connections beside those of the pool."""
    made: list[Any] = []
    make = queues.make_sync_engine

    def watched(*given: Any, **options: Any) -> Any:
        made.append(make(*given, **options))
        return made[-1]

    monkeypatch.setattr(queues, "make_sync_engine", watched)
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
        patch.setattr(queues, "_migrate", fail)
        tries = await asyncio.gather(*(_hold(services) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, DatabaseError) for one in tries)
    async with queue_client(services) as client:
        await asyncio.to_thread(client.list_schedules)
    assert len(engines) == 2


async def _hold(services: Services) -> None:
    async with queue_client(services):
        await asyncio.sleep(60)
