"""What is deleted while a request is answered is told as such: no bug, and no trace in the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.errors import GoneError, InputError, StatementError, is_retried
from re2llm.knowledge.domains import Domain, find_domain
from re2llm.knowledge.hint_store.hints import add_hint
from re2llm.knowledge.hint_store.reflections import Reflection, store_reflection
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.jobs.jobs import store_job
from re2llm.knowledge.log.recommendations import Recommendation, shown_ranking
from re2llm.knowledge.sessions.training_sessions import session_keys, store_sessions
from re2llm.operations.database import in_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Session
from re2llm.runtime.background import Background
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

IDS = [film.id for film in load_films()]
HISTORY, CANDIDATES = IDS[:3], IDS[100:112]
REFERRING = """
    SELECT c.conname, c.confrelid::regclass::text FROM pg_constraint AS c
    JOIN pg_namespace AS n ON n.oid = c.connamespace WHERE n.nspname = 're2llm' AND c.contype = 'f'
"""


@pytest.fixture
async def shop(services: Services, domain: str, load: Callable[..., Any]) -> str:
    await load(domain, sample_items(), simulate_sessions(8, seed=8))
    return domain


@pytest.fixture
def dropped(url: str) -> Callable[[str], None]:
    """Delete a domain as another process does."""

    def drop(name: str) -> None:
        dsn = url.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM re2llm.domain WHERE name = %s", [name])

    return drop


async def found(services: Services, name: str) -> Domain:
    async with services.engine.connect() as connection:
        return await find_domain(connection, name)


def made_for(domain: Domain) -> Recommendation:
    ranking = CANDIDATES
    return Recommendation(
        domain_id=domain.id,
        history=HISTORY,
        candidates=ranking,
        ranking=ranking,
        policy="none",
        hint_id=None,
        probability=1.0,
        model="m",
        prompt_version="1",
        flags=(),
        latency_ms=1.0,
    )


async def test_a_domain_that_goes_while_the_model_is_asked_leaves_one_plain_line(
    shop: str,
    script: Callable[..., tuple[str, Any]],
    dropped: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(_: Any) -> str:
        dropped(shop)
        return ", ".join(str(number) for number in range(1, len(CANDIDATES) + 1))

    model, _ = script(answer)
    context = Context(domain=shop, model=model, policy="none")
    made = await recommend(context, HISTORY, candidates=CANDIDATES)
    assert sorted(made.ranking) == sorted(CANDIDATES)
    assert "not_logged" in made.flags
    (line,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "The domain was deleted meanwhile" in line.getMessage()
    assert line.exc_info is None
    with pytest.raises(InputError, match="There is no domain"):
        await recommend(context, HISTORY, candidates=CANDIDATES)


async def test_the_answers_of_other_domains_are_logged_all_the_same(
    services: Services, films: str, shop: str, dropped: Callable[[str], None]
) -> None:
    gone, stays = await found(services, shop), await found(services, films)
    dropped(shop)
    made = [made_for(domain) for domain in (stays, gone, stays, gone)]
    outcomes = await asyncio.gather(
        *(services.answered.add((one, None)) for one in made), return_exceptions=True
    )
    assert [outcome is None for outcome in outcomes] == [True, False, True, False]
    async with services.engine.connect() as connection:
        for one in (made[0], made[2]):
            assert await shown_ranking(connection, stays.id, str(one.id)) == CANDIDATES


async def test_every_reference_of_our_tables_is_told_with_a_field(films: str) -> None:
    options = await resolve_context(Context())
    async with in_domain(options) as (connection, _):
        references = (await connection.execute(text(REFERRING))).all()
    assert len(references) > 20
    for name, table in references:
        sql = f"DO $$ BEGIN RAISE foreign_key_violation USING CONSTRAINT = '{name}'; END $$"
        with pytest.raises(GoneError, match="deleted meanwhile") as caught:
            async with in_domain(options, write=True) as (connection, _):
                await connection.execute(text(sql))
        assert caught.value.field != "re2llm", (name, table)


async def a_trial(connection: AsyncConnection, domain: Domain) -> None:
    (session, *_) = await session_keys(connection, domain.id)
    await store_trial(connection, domain.id, Trial(session, b"", "m", "1", 1, "1"))


async def a_hint(connection: AsyncConnection, domain: Domain) -> None:
    embedding = np.zeros(384, np.float32)
    await add_hint(connection, domain.id, "Prefer films of space.", embedding, provenance={})


async def a_reflection(connection: AsyncConnection, domain: Domain) -> None:
    (session, *_) = await session_keys(connection, domain.id)
    made = Reflection(session, "m", "1", 9, "It was missed.", [])
    await store_reflection(connection, domain.id, made)


async def a_job(connection: AsyncConnection, domain: Domain) -> None:
    values: dict[str, Any] = {"id": domain.name, "kind": "tidy", "arguments": {}}
    await store_job(connection, domain.id, **values, version="1", state="queued")


async def a_session(connection: AsyncConnection, domain: Domain) -> None:
    seen = Session(history=tuple(IDS[:2]), target=IDS[3])
    await store_sessions(connection, domain, [seen])


@pytest.mark.parametrize("store", [a_trial, a_hint, a_reflection, a_job, a_session])
async def test_what_is_stored_for_a_domain_that_goes_is_refused_as_for_none(
    shop: str,
    store: Callable[[AsyncConnection, Domain], Awaitable[None]],
    dropped: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = await resolve_context(Context(domain=shop))
    kept = AsyncConnection.execute

    async def deleted_first(self: Any, statement: Any, *given: Any, **named: Any) -> Any:
        if getattr(statement, "is_insert", False):
            dropped(shop)
        return await kept(self, statement, *given, **named)

    monkeypatch.setattr(AsyncConnection, "execute", deleted_first)
    with pytest.raises(GoneError, match="deleted meanwhile") as caught:
        async with in_domain(options, write=True) as (connection, domain):
            await store(connection, domain)
    assert is_retried(caught.value)  # a job does it again, and then meets no domain
    assert not caplog.records


async def test_feedback_on_what_is_deleted_meanwhile_is_refused(
    shop: str, dropped: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=shop, policy="none")
    made = await recommend(context, HISTORY, candidates=CANDIDATES)
    kept = AsyncConnection.scalar

    async def deleted_first(self: Any, statement: Any, *given: Any, **named: Any) -> Any:
        if getattr(statement, "is_insert", False):
            dropped(shop)
        return await kept(self, statement, *given, **named)

    monkeypatch.setattr(AsyncConnection, "scalar", deleted_first)
    with pytest.raises(GoneError) as caught:
        await give_feedback(context, made.recommendation_id or "", made.ranking[0], learn=False)
    assert caught.value.field == "recommendation_id"


async def test_deleting_what_others_refer_to_stays_a_bug(films: str) -> None:
    options = await resolve_context(Context())
    embedding = np.zeros(384, np.float32)

    async def delete_referred_to() -> None:
        async with in_domain(options, write=True) as (connection, domain):
            ids = [
                (await add_hint(connection, domain.id, said, embedding, provenance={}))[0]
                for said in ("Prefer one.", "Prefer another.")
            ]
            given = {"domain": domain.id, "one": ids[0], "other": ids[1]}
            for change in ("UPDATE re2llm.hint SET merged_into = :one", "DELETE FROM re2llm.hint"):
                sql = f"{change} WHERE domain_id = :domain AND id = :other"
                await connection.execute(text(sql), given)
                given = {**given, "other": given["one"]}

    with pytest.raises(StatementError):
        await delete_referred_to()


@pytest.mark.parametrize("kind", [GoneError, InputError])
async def test_a_job_in_the_background_says_what_is_gone_in_one_line(
    kind: type[InputError], caplog: pytest.LogCaptureFixture
) -> None:
    background = Background()

    async def work() -> None:
        raise kind("domain", "The domain was deleted meanwhile.", "Ask again.")

    background.send("learning", work)
    await background.idle()
    (line,) = caplog.records
    assert line.exc_info is None
    assert "learning" in line.getMessage()
    assert "deleted meanwhile" in line.getMessage()
    await background.close()
