"""A worker's lock: held while it lives, free when its connection is gone."""

from collections.abc import Callable
from typing import Any

import psycopg
from learnt import libpq
from re2llm.jobs.queue.liveness import Pulse, anyone, gone
from re2llm.knowledge.locks import AdvisoryLocks
from re2llm.runtime.services import Services

Load = Callable[..., Any]


async def test_a_worker_that_lost_its_connection_is_gone_until_it_is_back(
    services: Services, url: str, domain: str
) -> None:
    async def missing() -> set[str]:
        async with services.engine.connect() as connection:
            return await gone(connection, {domain, "another"})

    pulse = Pulse(services.engine, domain)
    assert await missing() == {domain, "another"}
    assert await pulse.beat()
    assert await pulse.beat()
    assert await missing() == {"another"}
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND classid = %s",
            [0x726535],
        )
    assert not await pulse.beat()
    assert await missing() == {domain, "another"}
    assert await pulse.beat()
    assert await missing() == {"another"}
    await pulse.stop()
    assert await missing() == {domain, "another"}


async def test_the_lock_keeps_no_dead_row_alive(services: Services, url: str, domain: str) -> None:
    pulse = Pulse(services.engine, domain)
    await pulse.beat()
    try:
        with psycopg.connect(libpq(url)) as connection:
            [held] = connection.execute(
                "SELECT backend_xmin, backend_xid, state FROM pg_stat_activity AS a "
                "JOIN pg_locks AS l ON l.pid = a.pid WHERE locktype = 'advisory' AND classid = %s",
                [0x726535],
            ).fetchall()
            assert held == (None, None, "idle in transaction")
    finally:
        await pulse.stop()


async def test_a_task_that_is_held_alone_is_no_worker(services: Services, domain: str) -> None:
    locks = AdvisoryLocks(services.engine)
    try:
        async with locks.alone(domain) as held, services.engine.connect() as connection:
            assert held
            assert not await anyone(connection)
    finally:
        await locks.close()
