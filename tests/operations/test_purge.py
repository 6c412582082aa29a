"""Purging: what people did goes, by age and by owner, all at once; the rest stays."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from re2llm.cli import app
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.jobs.jobs import find_job, store_job
from re2llm.knowledge.log.llm_calls import LlmCall, book_call
from re2llm.knowledge.rollouts.rollouts import Change, change_rollout, claim_rollout
from re2llm.knowledge.sessions.training_sessions import observe_session
from re2llm.operations.accounts.keys import check_key, create_key
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.operations.releases.rollouts import show_canary, start_canary, stop_canary
from re2llm.operations.sessions.purge import purge
from re2llm.operations.sessions.sources import drop_sessions, list_session_sources
from re2llm.policies.rollout.decision import Action
from re2llm.policies.rollout.plan import Plan
from re2llm.ranking.rollouts import look
from re2llm.records import Session
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from rollouts import fill, live_id, two_releases
from sqlalchemy import text
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
SESSIONS = simulate_sessions(12, seed=1)
OF_DOMAIN = "SELECT id FROM re2llm.recommendation WHERE domain_id = :id"
KINDS = ("recommendations", "feedback", "sessions", "answers")


async def used(services: Services, domain: str, caller: Caller | None) -> None:
    """Leave one of each kind of record."""
    context = Context(domain=domain, policy="none", model="offline", caller=caller)
    made = await recommend(context, IDS[:2], candidates=IDS[10:15])
    await give_feedback(context, made.recommendation_id or "", made.ranking[0])
    source = "local" if caller is None else caller.key_id
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        place = 20 + 3 * (await connection.scalar(text("SELECT count(*) FROM re2llm.session")) or 0)
        session = Session((IDS[place % 300], IDS[place % 299]), IDS[place % 301])
        await observe_session(connection, found, session, source=source)
        await book_call(connection, call_of(domain, "test", caller and caller.key_id))


def call_of(domain: str, command: str, key: str | None) -> LlmCall:
    """Return a call of a model that is named as the domain."""
    return LlmCall(
        key=f"{domain}{command}{key or 'local'}".encode(),
        command=command,
        purpose="rank",
        model=domain,
        method="",
        outcome="ok",
        answer="text",
        requests=1,
        tokens_in=1,
        tokens_out=1,
        estimated=False,
        latency_ms=1.0,
        cost=0.5,
        api_key_id=key,
    )


async def aged(services: Services, domain: str, days: int) -> None:
    """Make all that a domain holds older."""
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for table, own in (
            ("recommendation", "domain_id = :id"),
            ("session", "domain_id = :id"),
            ("feedback", f"recommendation_id IN ({OF_DOMAIN})"),
            ("llm_call", "model = :name"),
        ):
            await connection.execute(
                text(
                    f"UPDATE re2llm.{table} SET created_at = "
                    f"now() - make_interval(days => :days) WHERE {own}"
                ),
                {"days": days, "id": found.id, "name": domain},
            )


async def left(services: Services, domain: str) -> dict[str, int]:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        query = text("""
            SELECT (SELECT count(*) FROM re2llm.recommendation WHERE domain_id = :id),
                   (SELECT count(*) FROM re2llm.feedback AS f JOIN re2llm.recommendation AS r
                    ON r.id = f.recommendation_id WHERE r.domain_id = :id),
                   (SELECT count(*) FROM re2llm.session
                    WHERE domain_id = :id AND source <> 'file'),
                   (SELECT count(answer) FROM re2llm.llm_call WHERE model = :name)
        """)
        row = (await connection.execute(query, {"id": found.id, "name": domain})).one()
    return dict(zip(KINDS, row, strict=True))


@pytest.fixture
async def shop(services: Services, domain: str) -> Caller:
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    created = await create_key(Context(), f"shop-{domain}", [domain])
    caller = await check_key(Context(), created.key)
    assert caller is not None
    return caller


def all_of(number: int) -> dict[str, int]:
    return dict.fromkeys(KINDS, number)


@pytest.mark.long
async def test_old_records_go_and_recent_ones_stay(
    services: Services, domain: str, shop: Caller
) -> None:
    await used(services, domain, None)
    await used(services, domain, shop)
    await aged(services, domain, 400)
    await used(services, domain, None)
    assert await left(services, domain) == all_of(3)
    counted = await purge(Context(), older_than=300, dry_run=True)
    assert await left(services, domain) == all_of(3)
    done = await purge(Context(), older_than=300)
    assert await left(services, domain) == all_of(1)
    assert {kind: getattr(done, kind) for kind in KINDS} == all_of(2)
    assert counted.model_dump(exclude={"before", "dry_run"}) == done.model_dump(
        exclude={"before", "dry_run"}
    )
    sources = await list_session_sources(Context(), domain=domain)
    assert {s.source: s.sessions for s in sources} == {"file": len(SESSIONS), "local": 1}
    async with services.engine.connect() as connection:
        query = text("SELECT sum(cost) FROM re2llm.llm_call WHERE model = :name")
        assert await connection.scalar(query, {"name": domain}) == 1.5


@pytest.mark.long
async def test_an_owners_records_go_by_name_and_by_key(
    services: Services, domain: str, shop: Caller
) -> None:
    await used(services, domain, None)
    for owner in (shop.owner, shop.key_id):
        await used(services, domain, shop)
        done = await purge(Context(), owner=owner)
        assert {kind: getattr(done, kind) for kind in KINDS} == all_of(1)
        assert await left(services, domain) == all_of(1)
    await used(services, domain, shop)
    kept = await purge(Context(), owner=shop.owner, older_than=1)
    assert {kind: getattr(kept, kind) for kind in KINDS} == all_of(0)


async def test_a_purge_waits_for_no_domain_of_others(
    services: Services, domain: str, shop: Caller, films: str
) -> None:
    await used(services, domain, shop)
    async with services.engine.begin() as connection:
        held = text("SELECT answers, xmin FROM re2llm.domain WHERE name = :name FOR UPDATE")
        before = (await connection.execute(held, {"name": films})).one()
        await asyncio.wait_for(purge(Context(), owner=shop.owner), 20)
        assert (await connection.execute(held, {"name": films})).one() == before
    assert await left(services, domain) == all_of(0)


async def test_two_purges_take_domains_in_the_same_order(
    services: Services, domain: str, shop: Caller
) -> None:
    """The younger domain comes first by name; a purge that waits for the older holds no other."""
    younger = f"a-{domain}"
    await load_domain(services, younger, sample_items(), [lambda _: SESSIONS])
    created = await create_key(Context(), f"both-{domain}", [domain, younger])
    caller = await check_key(Context(), created.key)
    await used(services, younger, caller)
    await used(services, domain, caller)
    async with services.engine.connect() as first, services.engine.connect() as second:
        lock = text("SELECT id FROM re2llm.domain WHERE name = :name FOR UPDATE")
        await first.execute(lock, {"name": domain})
        purging = asyncio.create_task(purge(Context(), owner=f"both-{domain}"))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        for _ in range(400):
            if await first.scalar(waiting):
                break
            await asyncio.sleep(0.05)
        assert not purging.done()
        free = text("SELECT id FROM re2llm.domain WHERE name = :name FOR UPDATE NOWAIT")
        await second.execute(free, {"name": younger})
        await second.rollback()
        await first.rollback()
        await purging
    assert await left(services, younger) == all_of(0)


async def test_a_rollout_forgets_the_feedback_that_goes(
    services: Services, domain: str, shop: Caller
) -> None:
    """Feedback of the shop goes, on recommendations that were made without its key."""
    await two_releases(services, domain)
    await start_canary(Context(), 2, domain=domain, plan=Plan(steps=(50,)))
    for person, caller in enumerate((shop, None)):
        made = await recommend(
            Context(domain=domain), IDS[:2], candidates=IDS[10:15], user=f"viewer-{person}"
        )
        given = Context(domain=domain, caller=caller)
        await give_feedback(given, made.recommendation_id or "", made.ranking[0], learn=False)
    await purge(Context(), owner=shop.owner)
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        query = text(
            "SELECT reward, picked FROM re2llm.exposure AS e JOIN re2llm.rollout AS r "
            "ON r.id = e.rollout_id WHERE domain_id = :id ORDER BY e.created_at"
        )
        rows = (await connection.execute(query, {"id": found.id})).all()
    assert [tuple(row) for row in rows] == [(None, False), (1.0, True)]


@pytest.mark.parametrize("what", ["exposures", "feedback"])
async def test_a_rollout_that_loses_evidence_is_held(
    services: Services, domain: str, shop: Caller, what: str
) -> None:
    """Else it would decide on what purges leave, whose errors grow with each purge."""
    there = await two_releases(services, domain)
    plan = Plan(steps=(50, 100), hold=50)
    await start_canary(Context(), 2, domain=domain, plan=plan)
    rollout = await live_id(services, there)
    for canary in (False, True):
        await fill(services, rollout, 0, canary=canary, n=60, mean=0.5)
    made = await recommend(Context(domain=domain), IDS[:2], candidates=IDS[10:15], user="somebody")
    await give_feedback(
        Context(domain=domain, caller=shop), made.recommendation_id or "", None, learn=False
    )
    if what == "exposures":
        await aged(services, domain, 40)
    asked = {"older_than": 30} if what == "exposures" else {"owner": shop.owner}
    assert (await purge(Context(), **asked, dry_run=True)).rollouts_held == 1
    before = await show_canary(Context(), domain=domain)
    assert before.state == "running"
    assert (await purge(Context(), **asked)).rollouts_held == 1
    shown = await show_canary(Context(), domain=domain)
    assert (shown.state, shown.reason, shown.percent) == ("held", "purged", 50)
    assert shown.figures == before.figures
    assert shown.figures["reward"]["n"] >= 60
    await fill(services, rollout, 0, canary=True, n=5, mean=0.5)
    await aged(services, domain, 40)
    assert (await purge(Context(), older_than=30)).rollouts_held == 0, "it is held already"
    verdict = await look(services, rollout, pause=0)
    assert verdict is not None
    assert (verdict.action, verdict.reason) == (Action.WAIT, "held")
    assert (await show_canary(Context(), domain=domain)).figures == before.figures


@pytest.mark.usefixtures("shop")
async def test_a_rollout_that_a_person_is_to_decide_says_that_it_lost_evidence(
    services: Services, domain: str
) -> None:
    there = await two_releases(services, domain)
    plan = Plan(steps=(50, 100), hold=50)
    await start_canary(Context(), 2, domain=domain, plan=plan)
    rollout = await live_id(services, there)
    for canary in (False, True):
        await fill(services, rollout, 0, canary=canary, n=60, mean=0.5)
    async with services.engine.begin() as connection:
        held = await claim_rollout(connection, rollout, wait=True)
        assert held is not None
        await change_rollout(connection, held, Change("held", "undecided", "Decide.", {}))
    await aged(services, domain, 40)
    assert (await purge(Context(), older_than=30)).rollouts_held == 1
    shown = await show_canary(Context(), domain=domain)
    assert (shown.state, shown.reason) == ("held", "purged")
    assert shown.figures["reward"]["n"] >= 60
    assert (await purge(Context(), older_than=30)).rollouts_held == 0


async def test_a_rollout_that_loses_nothing_goes_on(
    services: Services, domain: str, shop: Caller
) -> None:
    """Neither what is younger, nor what another rollout saw."""
    there = await two_releases(services, domain)
    for ended in (True, False):
        await start_canary(Context(), 2, domain=domain, plan=Plan(steps=(50, 100)))
        await fill(services, await live_id(services, there), 0, canary=True, n=5, mean=0.5)
        if ended:
            await stop_canary(Context(), domain=domain)
            await aged(services, domain, 40)
    assert (await purge(Context(), older_than=30)).rollouts_held == 0
    assert (await purge(Context(), owner=shop.owner)).rollouts_held == 0
    shown = await show_canary(Context(), domain=domain)
    assert (shown.state, shown.canary_counts.exposures) == ("running", 5)


async def test_the_setting_is_the_default_age(
    services: Services, domain: str, shop: Caller, adjust: Callable[..., None]
) -> None:
    with pytest.raises(InputError) as raised:
        await purge(Context())
    assert raised.value.field == "older_than"
    with pytest.raises(InputError):
        await purge(Context(), owner="nobody of that name")
    await used(services, domain, shop)
    await aged(services, domain, 40)
    adjust(retention_days=50)
    assert (await purge(Context(), dry_run=True)).sessions == 0
    adjust(retention_days=30)
    assert (await purge(Context())).sessions == 1
    assert await left(services, domain) == all_of(0)


async def test_an_error_undoes_everything(
    services: Services, domain: str, shop: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await used(services, domain, shop)

    async def fail(*_: Any) -> dict[str, int]:
        raise InputError("purge", "It fails.", "It is a test.")

    monkeypatch.setattr("re2llm.operations.sessions.purge.delete_log", fail)
    with pytest.raises(InputError):
        await purge(Context(), owner=shop.owner)
    assert await left(services, domain) == all_of(1)


async def test_what_learning_was_told_goes_with_any_owner(
    services: Services, domain: str, shop: Caller
) -> None:
    """It is booked without a key, whosever sessions it asked about."""
    learning = {"feedback", "improve", "learn", "tidy", "train", "verify"}
    async with services.engine.begin() as connection:
        for name in (*learning, "evaluate", "recommend"):
            await book_call(connection, call_of(domain, name, None))
    query = text("SELECT command, answer, cost FROM re2llm.llm_call WHERE model = :name")
    for days, gone in ((1, set[str]()), (None, learning)):
        done = await purge(Context(), owner=shop.owner, older_than=days)
        async with services.engine.connect() as connection:
            found = (await connection.execute(query, {"name": domain})).all()
        assert {row.command for row in found if row.answer is None} == gone
        assert {row.cost for row in found} == {0.5}
        assert done.answers == 0


async def test_jobs_that_do_not_run_lose_their_sessions_and_end(
    services: Services, domain: str, shop: Caller
) -> None:
    states = ("running", "paused", "stopped", "failed")
    asked = {"sessions": [{"history": ["a"], "target": "b"}], "oracle": True}
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for key in (shop.key_id, None):
            for state in states:
                name = f"{domain}-{state}-{key}"
                values = {"id": name, "kind": "evaluate", "version": "1", "state": state}
                await store_job(connection, found.id, **values, arguments=asked, key_id=key)
        values = {"id": f"{domain}-learn", "kind": "learn", "version": "1", "state": "paused"}
        await store_job(connection, found.id, **values, arguments={}, key_id=shop.key_id)

    async def seen(key: str | None) -> dict[str, tuple[str, bool]]:
        async with services.engine.connect() as connection:
            jobs = {s: await find_job(connection, f"{domain}-{s}-{key}") for s in states}
        return {s: (job.state, "sessions" in job.arguments) for s, job in jobs.items() if job}

    before = {state: (state, True) for state in states}
    after = dict.fromkeys(states, ("cancelled", False)) | {"running": ("running", True)}
    assert await seen(shop.key_id) == before
    await purge(Context(), owner=shop.owner, older_than=1)
    assert await seen(shop.key_id) == before
    await purge(Context(), owner=shop.owner)
    assert await seen(shop.key_id) == after
    assert await seen(None) == before
    async with services.engine.begin() as connection:
        other = await find_job(connection, f"{domain}-learn")
        # For other tests, jobs that run are work.
        await connection.execute(text("DELETE FROM re2llm.job WHERE version = '1'"))
    assert other is not None
    assert other.state == "paused", "it can go on"


async def test_forgetting_sessions_waits_for_the_domain_with_nothing_in_its_hands(
    services: Services, domain: str, shop: Caller
) -> None:
    """All who change sessions take the domain's row first: else two would wait for each other."""
    await used(services, domain, shop)
    async with services.engine.connect() as holder, services.engine.connect() as other:
        lock = text("SELECT id FROM re2llm.domain WHERE name = :name FOR NO KEY UPDATE")
        key = await holder.scalar(lock, {"name": domain})
        dropping = asyncio.create_task(drop_sessions(Context(domain=domain), shop.key_id))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        for _ in range(400):
            if dropping.done() or await holder.scalar(waiting):
                break
            await asyncio.sleep(0.02)
        assert not dropping.done()
        hints = "SELECT pg_try_advisory_xact_lock(hashtextextended('re2llm:hints', :id))"
        assert await other.scalar(text(hints), {"id": key}), "it holds the hints"
        items = text("SELECT id FROM re2llm.item WHERE domain_id = :id FOR UPDATE NOWAIT")
        await other.execute(items, {"id": key})
        await other.rollback()
        await holder.rollback()
        await dropping


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["purge", *arguments])


@pytest.mark.long
async def test_the_command_prints_counts(services: Services, domain: str, shop: Caller) -> None:
    await used(services, domain, shop)
    words = ("--user", shop.owner, "--older-than", "0d")
    shown = await asyncio.to_thread(command, *words, "--dry-run")
    assert "1 observed session\n" in shown.output
    done = json.loads((await asyncio.to_thread(command, *words, "--json")).output)
    assert {kind: done[kind] for kind in KINDS} == all_of(1)
    for age in ("soon", "-1d", "9999999d"):
        bad = await asyncio.to_thread(command, "--older-than", age)
        assert bad.exit_code != 0
