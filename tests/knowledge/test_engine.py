"""The pool of connections: what the server has closed is replaced before it is used."""

import asyncio

import psycopg
from re2llm.knowledge.engine import make_engine
from re2llm.settings import Settings
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

TOGETHER = 4


async def server_process(engine: AsyncEngine, ready: asyncio.Barrier) -> int:
    async with engine.connect() as connection:
        await ready.wait()  # so that each has a connection of its own
        return (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()


async def all_processes(engine: AsyncEngine) -> set[int]:
    ready = asyncio.Barrier(TOGETHER)
    return set(await asyncio.gather(*(server_process(engine, ready) for _ in range(TOGETHER))))


async def test_connections_that_the_server_closed_are_replaced(
    url: str, settings: Settings
) -> None:
    engine = make_engine(url, settings)
    first = await all_processes(engine)
    assert await all_processes(engine) == first, "living connections are used again"
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    lost = sorted(first)[1:]
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as killer:
        for process in lost:
            await killer.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
    again = await all_processes(engine)
    assert len(again) == TOGETHER
    assert again & first == first - set(lost)
    await engine.dispose()


async def test_a_connection_that_knows_it_is_lost_is_replaced(url: str, settings: Settings) -> None:
    engine = make_engine(url, settings)
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
    driver.pgconn.finish()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()
