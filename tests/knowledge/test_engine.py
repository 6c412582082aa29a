"""The pool of connections: what the server has closed is replaced before it is used."""

import asyncio
from pathlib import Path

import psutil
import psycopg
import pytest
from embedded_users import running
from re2llm.errors import DatabaseError, StatementError
from re2llm.interfaces.host import Re2llm
from re2llm.knowledge.engine import database_url, make_engine, ping, unreachable
from re2llm.operations.database import connected
from re2llm.operations.loading.load import load_domain
from re2llm.records import Item
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services, open_services
from re2llm.settings import Settings
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
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


async def test_a_statement_that_is_wrong_is_not_told_as_a_lost_database(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    options = await resolve_context(Context())
    for sql, value in (("SELECT CAST(:x AS int)", "a"), ("SELECT :x FROM nothing", "private")):
        with pytest.raises(StatementError) as caught:
            async with connected(options) as connection:
                await connection.execute(text(sql), {"x": value})
        assert caught.value.kind == "internal"
        assert "No answer" not in str(caught.value)
    assert "nothing" in caplog.text
    assert "private" not in caplog.text
    with pytest.raises(DatabaseError, match="No answer"):
        raise unreachable(services.engine, OSError("gone"))


async def test_a_connection_that_knows_it_is_lost_is_replaced(url: str, settings: Settings) -> None:
    engine = make_engine(url, settings)
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
    driver.pgconn.finish()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


async def test_texts_of_any_script_pass_whatever_encoding_an_address_names(
    url: str, settings: Settings
) -> None:
    named = make_url(url).update_query_dict({"client_encoding": "latin1"})
    engine = make_engine(named.render_as_string(hide_password=False), settings)
    async with engine.connect() as connection:
        assert (
            await connection.execute(text("SELECT :title"), {"title": "Живаго"})
        ).scalar() == "Живаго"
    await engine.dispose()


@pytest.mark.long
async def test_a_killed_embedded_server_is_started_again_by_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RE2LLM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("re2llm.interfaces.host.get_settings", Settings)
    settings = Settings()
    services = await open_services(settings)
    await load_domain(services, "few", [Item(id=str(n), title=f"Film {n}") for n in range(3)], [])
    await services.close()
    async with Re2llm(domain="few") as re2llm:
        before = await re2llm.arecommend(["0"], k=2)
        await asyncio.to_thread(kill_server, tmp_path / "home")
        again = await re2llm.arecommend(["0"], k=2)
        assert [item.id for item in again.items] == [item.id for item in before.items]
    with psycopg.connect(libpq(database_url(settings))) as connection:
        assert connection.execute("SELECT count(*) FROM re2llm.item").fetchone() == (3,)


def libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def kill_server(home: Path) -> None:
    [server] = running(home)
    workers = server.children()
    server.kill()
    psutil.wait_procs([server, *workers], timeout=30)


async def test_what_keeps_the_embedded_server_from_starting_again_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(home: Path) -> str:
        raise DatabaseError("RE2LLM_HOME", "The disk is full.", "")

    monkeypatch.setattr("re2llm.knowledge.engine.start_embedded", fail)
    settings = Settings(home=tmp_path)
    engine = make_engine(f"postgresql+psycopg://postgres@/postgres?host={tmp_path}", settings)
    with pytest.raises(DatabaseError, match="The disk is full"):
        await ping(engine, settings)
    await engine.dispose()


async def test_a_text_with_the_code_0_is_no_question_of_the_encoding(services: Services) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with services.engine.connect() as connection:
            await connection.execute(text("SELECT CAST(:v AS jsonb)"), {"v": '["\\u0000"]'})
    assert getattr(caught.value.orig, "sqlstate", "") == "22P05"
    assert "ENCODING" not in str(getattr(unreachable(services.engine, caught.value), "remedy", ""))
