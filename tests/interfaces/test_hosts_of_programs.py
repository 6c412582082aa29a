"""A `Re2llm` object in programs that make many event loops, fork, or close it early."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
import re2llm
from kept_alive import kept_alive
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.errors import DatabaseError, InputError
from re2llm.interfaces.portal import Portal
from re2llm.knowledge.embedded_postgres.database import start_embedded
from re2llm.llm.client.limits import Pace
from re2llm.runtime.services import open_services
from re2llm.settings import Settings
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

IDS = [film.id for film in load_films()]
RANKED = IDS[40:46]
LOOPS = 12


@pytest.mark.parametrize("locks", [False, True])
def test_an_event_loop_that_has_ended_keeps_no_connection(
    films: str, url: str, locks: bool
) -> None:
    name = f"loops-{uuid.uuid4().hex[:8]}"
    own = make_url(url).update_query_dict({"application_name": name})
    host = re2llm.Re2llm(own.render_as_string(hide_password=False), domain=films, policy="none")

    async def ask() -> None:
        await host.arecommend(IDS[:2], candidates=RANKED)
        if locks:  # whose connection is its own
            assert await (await host.context().services.get()).locks.claim_session(1)  # pyright: ignore[reportOptionalMemberAccess]

    for _ in range(LOOPS):
        asyncio.run(ask())
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
        left = connection.scalar(query, {"name": name})
    assert left is not None
    assert left <= 4  # of the last loop
    assert len(asyncio.run(host.arecommend(IDS[:2], candidates=RANKED)).ranking) == len(RANKED)
    asyncio.run(host.aclose())


async def test_a_model_may_be_asked_on_the_programs_loop_and_on_the_objects_thread(
    films: str,
) -> None:
    with kept_alive() as server:
        key = SecretStr("sk-none")
        model = ChatOpenAI(model="m", base_url=server.url, api_key=key, max_retries=0)
        async with re2llm.Re2llm(model=model, domain=films, policy="none") as host:
            for n in range(2):
                await model.ainvoke("Hello")
                for asked in (
                    await asyncio.to_thread(host.recommend, IDS[n : n + 2], candidates=RANKED),
                    await host.arecommend(IDS[n + 4 : n + 6], candidates=RANKED),
                ):
                    assert (asked.flags, asked.model_error) == ([], "")
        await model.ainvoke("Hello")
        await asyncio.to_thread(host.close)


def test_a_chat_model_with_options_bound_to_it_is_refused() -> None:
    """It is no chat model, and the one that is made by its name would lack them."""
    bound: Any = ChatOpenAI(model="m", api_key=SecretStr("sk-none")).bind(stop=["."])
    with pytest.raises(InputError, match="no chat model"):
        re2llm.Re2llm(model=bound)


@pytest.mark.parametrize("kind", [create_engine, Path, SecretStr])
def test_a_database_of_another_kind_is_refused(url: str, kind: Callable[[str], object]) -> None:
    given: Any = kind(url)
    with pytest.raises(InputError, match="neither a URL nor an AsyncEngine") as caught:
        re2llm.Re2llm(given)
    assert caught.value.field == "database"


async def test_an_engine_of_another_driver_is_refused() -> None:
    engine: Any = SimpleNamespace(dialect=SimpleNamespace(driver="asyncpg"))
    with pytest.raises(InputError, match="Its driver is asyncpg") as caught:
        await open_services(Settings(), engine=engine)
    assert caught.value.field == "database"


async def test_a_url_of_sqlalchemy_names_the_database(films: str, url: str) -> None:
    async with re2llm.Re2llm(make_url(url), domain=films) as host:
        answer = await host.arecommend(["Alien"], k=2)
    assert len(answer.items) == 2
    other = make_url("postgresql+asyncpg://x:y@127.0.0.1:9/other_one")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:9/other_one"):
        await re2llm.Re2llm(other, domain=films).adomains()


@pytest.mark.parametrize(
    "options",
    [
        {"isolation_level": "AUTOCOMMIT"},
        {"connect_args": {"autocommit": True}},
        {"isolation_level": "AUTOCOMMIT", "poolclass": NullPool},
        {"levels": ["SERIALIZABLE"]},
        {"levels": ["AUTOCOMMIT"]},
        {"levels": ["AUTOCOMMIT", "READ COMMITTED"]},
        {"levels": ["READ COMMITTED", "AUTOCOMMIT"]},
    ],
)
async def test_whatever_the_level_of_an_engine_all_or_nothing_is_stored(
    url: str, domain: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    rows = [f'{{"id": {n}, "title": "Film {n}"}}\n' for n in range(600)]
    items = tmp_path / "items.jsonl"
    items.write_text("".join(rows) + "{")
    levels: list[str] = options.pop("levels", [])
    engine = made = create_async_engine(url, **options)
    for level in levels:
        engine = engine.execution_options(isolation_level=level)
    try:
        async with re2llm.Re2llm(engine) as host:
            with pytest.raises(InputError, match="is not JSON"):
                await host.aload("jsonl", items, domain=domain)
            assert domain not in {found.name for found in await host.adomains()}
            items.write_text("".join(rows[:5]))
            assert (await host.aload("jsonl", items, domain=domain)).items == 5
            answer = await host.arecommend(["Film 1"], domain=domain, k=2)
            await host.afeedback(answer.recommendation_id, None, domain=domain)
        for _ in range(2):
            async with engine.connect() as connection:  # the host's own are as it made them
                lent = await connection.get_raw_connection()
                assert lent.driver_connection is not None
                # Of options of engines that were made from each other, the first one's count.
                assert lent.driver_connection.autocommit is (
                    [*levels, "AUTOCOMMIT"][0] == "AUTOCOMMIT"
                )
    finally:
        await made.dispose()


async def test_a_call_that_is_under_way_opens_nothing_after_the_end(films: str) -> None:
    host = re2llm.Re2llm(domain=films)
    services = host.context().services
    assert services is not None
    await services.get()
    await host.aclose()
    with pytest.raises(InputError, match="closed"):
        await services.get()


async def _nothing() -> None:
    pass


async def _process() -> int:
    return os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_a_thread_of_its_own() -> None:
    portal = Portal(_nothing)
    assert portal.run(_process) == os.getpid()
    child = os.fork()
    if not child:
        failed = True
        try:
            signal.alarm(20)
            failed = portal.run(_process) != os.getpid()
            portal.close()
        finally:
            os._exit(failed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert portal.run(_process) == os.getpid()
    portal.close()
    with pytest.raises(RuntimeError, match="closed"):
        portal.run(_process)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("waits_in", ["start of the database", "pace"])
def test_a_forked_process_does_not_wait_for_a_thread_of_its_parent(
    waits_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, inside, go_on = os.getpid(), Event(), Event()

    def slow(*_: Any) -> Any:
        if os.getpid() == parent:
            inside.set()
            go_on.wait(20)
        return 0.0

    work: Callable[[], Any]
    if waits_in == "pace":
        monkeypatch.setattr("re2llm.llm.client.limits.time", SimpleNamespace(monotonic=slow))
        work = Pace(1.0).take
    else:
        database = "re2llm.knowledge.embedded_postgres.database"
        monkeypatch.setattr(f"{database}._join", lambda _: None)
        server = "re2llm.knowledge.embedded_postgres.server.EmbeddedServer"
        monkeypatch.setattr(f"{server}.create", lambda _: None)
        monkeypatch.setattr(f"{server}.start", slow)
        work = partial(start_embedded, tmp_path / "home")
    thread = Thread(target=work)
    thread.start()
    assert inside.wait(20)
    child = os.fork()
    if not child:
        failed = True
        try:
            signal.alarm(5)
            work()
            failed = False
        finally:
            os._exit(failed)
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


FORKS = f"""
import asyncio, os, sys, re2llm
host = re2llm.Re2llm(domain=sys.argv[1], policy="none")
def ask(*more):
    host.find_titles([f"robots {{os.getpid()}}"])  # which is encoded
    return sorted(host.recommend([*{IDS[:2]!r}, *more], candidates={RANKED!r}).ranking)
print(ask("alein"), flush=True)
child = os.fork()
if not child:
    print(ask("blade runer"), flush=True)
    print(sorted(asyncio.run(host.arecommend({IDS[:1]!r}, candidates={RANKED!r})).ranking))
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(ask("alein"))
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_answers_and_ends(films: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORKS, films],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [str(sorted(RANKED))] * 4
    assert "Traceback" not in told.stderr


def test_a_portal_tells_why_it_did_not_start_or_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise OSError("no end")

    portal = Portal(fails)
    assert portal.run(_process) == os.getpid()
    with pytest.raises(OSError, match="no end"):
        portal.close()

    def refuses(coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()
        raise OSError("no files left")

    monkeypatch.setattr(asyncio, "run", refuses)
    with pytest.raises(OSError, match="no files left"):
        Portal(_nothing).run(_process)
