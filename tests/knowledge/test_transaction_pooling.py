"""Behind a pooler that lends connections by transaction: what serves works, learning says no."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from re2llm.data.sample import sample_items
from re2llm.errors import DatabaseError, PoolerError
from re2llm.interfaces.host import Re2llm
from re2llm.jobs.queue.liveness import Pulse, gone
from re2llm.jobs.worker.worker import _require_second  # pyright: ignore[reportPrivateUsage]
from re2llm.knowledge.engine import make_engine
from re2llm.knowledge.locks import AdvisoryLocks
from re2llm.knowledge.migrate import migrate
from re2llm.operations.doctor.database_checks import database_checks
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.services import open_services
from re2llm.settings import Settings
from sqlalchemy import URL, make_url
from transaction_pooler import TransactionPooler, pooled

PATIENCE = 120.0
FILMS = sample_items()[:40]
IDS = [film.id for film in FILMS]
HISTORY = IDS[:2]


@pytest.fixture
def fresh(url: str) -> Iterator[URL]:
    """An empty database behind no pooler."""
    name = f"pooled_{uuid.uuid4().hex[:12]}"
    server = make_url(url)
    with psycopg.connect(libpq(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.set(database=name)
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def pooler(fresh: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransactionPooler]:
    with pooled(fresh.render_as_string(), tmp_path_factory.mktemp("p")) as running:
        yield running


def libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def drop(url: URL) -> None:
    with psycopg.connect(libpq(url.set(database="postgres")), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {url.database} WITH (FORCE)")


def locks_left(url: URL) -> int:
    sql = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON database = pg_database.oid "
        "WHERE locktype = 'advisory' AND datname = current_database()"
    )
    with psycopg.connect(libpq(url)) as connection:
        row = connection.execute(sql).fetchone()
    return row[0] if row else 0


async def load_films(url: URL, settings: Settings) -> None:
    engine = make_engine(url.render_as_string(), settings)
    services = await open_services(settings, engine=engine)
    sessions = [Session(tuple(IDS[at : at + 3]), IDS[at + 3]) for at in range(30)]
    await load_domain(services, "films", FILMS, [lambda _: sessions])
    await services.close()
    await engine.dispose()


@pytest.mark.long
async def test_starts_at_once_all_migrate_and_leave_no_lock(
    pooler: TransactionPooler, fresh: URL, settings: Settings
) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):  # with something to do, and without
            engines = [make_engine(pooler.url.render_as_string(), settings) for _ in range(6)]
            await asyncio.gather(*map(migrate, engines))
            for engine in engines:
                await engine.dispose()
    assert locks_left(fresh) == 0


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_database_that_is_dropped_in_a_transaction_ends_the_poolers_threads(
    pooler: TransactionPooler, fresh: URL
) -> None:
    before = set(threading.enumerate())
    with psycopg.connect(libpq(pooler.url)) as connection:
        connection.execute("SELECT 1")  # begins a transaction
        serving = set(threading.enumerate()) - before
        drop(fresh)
        connection.close()
    for thread in serving:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.long
async def test_two_processes_serve_beside_traffic(
    pooler: TransactionPooler, fresh: URL, settings: Settings
) -> None:
    await load_films(pooler.url, settings)
    hosts = [Re2llm(pooler.url.render_as_string(), domain="films") for _ in range(2)]
    try:
        async with asyncio.timeout(PATIENCE):
            asked = [host.arecommend(HISTORY, k=3) for _ in range(10) for host in hosts]
            made = await asyncio.gather(*asked)
            for one in made[:4]:
                assert one.recommendation_id
                await hosts[0].afeedback(one.recommendation_id, one.items[1].id, learn=False)
    finally:
        await asyncio.gather(*(host.aclose() for host in hosts))
    assert all(len(one.items) == 3 and one.recommendation_id for one in made)
    assert len({one.recommendation_id for one in made}) == 20
    assert locks_left(fresh) == 0


@pytest.mark.long
async def test_commands_end_one_after_the_other(
    pooler: TransactionPooler, fresh: URL, settings: Settings
) -> None:
    await load_films(fresh, settings)
    environment = {**os.environ, "RE2LLM_DATABASE_URL": pooler.url.render_as_string()}
    command = [sys.executable, "-m", "re2llm", "recommend", HISTORY[0], "--domain", "films"]
    for _ in range(2):
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.long
async def test_learning_says_at_once_what_it_needs(
    pooler: TransactionPooler, fresh: URL, settings: Settings
) -> None:
    await load_films(fresh, settings)
    async with (
        asyncio.timeout(PATIENCE),
        Re2llm(pooler.url.render_as_string(), domain="films") as host,
    ):
        with pytest.raises(DatabaseError, match="by transaction") as raised:
            await host.alearn(max_llm_calls=3)
    assert "by session" in raised.value.remedy
    assert locks_left(fresh) == 0


@pytest.mark.long
async def test_doctor_says_that_nothing_can_be_learned(
    pooler: TransactionPooler, fresh: URL, settings: Settings
) -> None:
    await load_films(fresh, settings)
    async with (
        asyncio.timeout(PATIENCE),
        Re2llm(pooler.url.render_as_string(), domain="films") as host,
    ):
        (found, *_), _ = await database_checks(host.context())
    assert (found.name, found.status) == ("database", "note")
    assert "nothing can be learned" in found.found
    assert "by session" in found.remedy


async def test_a_pooler_is_noticed_also_where_it_lends_another_connection_later(
    pooler: TransactionPooler, fresh: URL, settings: Settings
) -> None:
    direct = make_engine(fresh.render_as_string(), settings)
    locks = AdvisoryLocks(direct)
    assert await locks.claim_session(5)
    locks._process += 1
    with pytest.raises(DatabaseError, match="by transaction"):
        await locks.claim_session(6)
    await locks.close()
    await direct.dispose()
    engine = make_engine(pooler.url.render_as_string(), settings)
    behind = AdvisoryLocks(engine)
    async with asyncio.timeout(PATIENCE):
        async with behind.prompt(b"12345678", patience=60.0):
            pass  # nothing is claimed, and nobody waits
        async with behind.slot("model", 1), behind.slot("model", 1):
            pass  # nor does a limit on calls stop any
        await behind.close()
    await engine.dispose()
    assert locks_left(fresh) == 0


@pytest.mark.long
async def test_a_pooler_without_a_second_connection_keeps_nobody_waiting(
    fresh: URL,
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("re2llm.jobs.worker.worker._PATIENCE", 0.5)
    with pooled(fresh.render_as_string(), tmp_path_factory.mktemp("p"), size=1) as small:
        engine = make_engine(small.url.render_as_string(), settings)
        locks = AdvisoryLocks(engine)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(PoolerError, match="by transaction"):
                await locks.claim_session(5)
            services = await open_services(settings, engine=engine)
            pulse = Pulse(engine, "here")
            assert await pulse.beat()
            with pytest.raises(PoolerError, match="no second connection"):
                await _require_second(services)
            await pulse.stop()
            await services.close()
        await engine.dispose()


async def test_a_worker_is_known_to_live_beside_traffic(
    pooler: TransactionPooler, settings: Settings
) -> None:
    engine = make_engine(pooler.url.render_as_string(), settings)
    pulse = Pulse(engine, "here")

    async def missing() -> set[str]:
        async with engine.connect() as connection:
            return await gone(connection, {"here", "another"})

    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            assert await pulse.beat()
            assert await asyncio.gather(missing(), missing()) == [{"another"}] * 2
        await pulse.stop()
        while "here" not in await missing():  # noqa: ASYNC110  # until the pooler sees the link end
            await asyncio.sleep(0.05)
    await engine.dispose()
