"""`re2llm hints tidy`: what goes, what stays, and that nothing is lost on the way."""

import asyncio
import datetime as dt
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fault_server import FaultServer, error
from keyed_runs import own_model
from learnt import libpq
from prompts import document_of
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import ModelDownError
from re2llm.knowledge.domain_locks import hold_hints
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.decisions import own_sessions
from re2llm.operations.hints.manage import approve_hints, list_hints, retire_hints, show_hint
from re2llm.operations.hints.pages import whole_hint
from re2llm.operations.hints.tidy import tidy_hints
from re2llm.operations.hints.tidy_results import TidiedHints
from re2llm.operations.hints.verify import verify_hints
from re2llm.operations.learning.learn import learn
from re2llm.operations.loading.load import load_domain
from re2llm.ranking.hints.likeness import pairs
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from tried import keys_of, stored, tried
from typer.testing import CliRunner


def with_candidates(session: Session, count: int) -> Session:
    others = [i.id for i in sample_items() if i.id not in {*session.history, session.target}]
    drawn = random.Random(str(session)).sample(others, count - 1)
    place = len(session.history) % count
    return replace(session, candidates=(*drawn[:place], session.target or "", *drawn[place:]))


SESSIONS = [with_candidates(session, 20) for session in simulate_sessions(44, seed=5)]
"""132, all of which hints are tried on."""
SMALL = {"verify_random": 200, "verify_doubtful": 1, "concurrency": 4}
NEAR = "Give more weight to what was chosen right before or after the most recent items."
NEAR_AGAIN = "Put more weight on what was picked right before or after the latest items."
DIRECTOR = "Prefer films by directors from the history."
PLATITUDE = "Think carefully before you answer."
Change = Callable[..., None]
Script = Callable[..., Any]


@pytest.fixture
async def room(services: Services, adjust: Change, domain: str) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    adjust(**SMALL)
    return domain


async def statuses(domain: str) -> dict[int, str]:
    return {hint.id: hint.status for hint in (await list_hints(Context(domain=domain))).hints}


def verdicts(found: TidiedHints) -> dict[int, str]:
    return {hint.id: hint.verdict for hint in found.changed}


def lifted(seed: int, share: float, *, plain: Sequence[int], to: int = 1) -> list[int]:
    """Ranks of a hint that lifts the target in some sessions, and leaves it in the others."""
    rng = random.Random(seed)
    return [to if rng.random() < share else rank for rank in plain]


PLAIN = [random.Random(n).choice([2, 4, 6, 9, 12]) for n in range(len(SESSIONS))]
"""Where the target stands without a hint."""
HELPFUL = lifted(1, 0.5, plain=PLAIN)
NOISE = [max(1, rank + random.Random(n + 7_000).choice([-1, 0, 1])) for n, rank in enumerate(PLAIN)]
HARMFUL = lifted(2, 0.4, plain=PLAIN, to=20)


@pytest.mark.long
async def test_past_trials_decide_without_a_model_call(
    services: Services, room: str, url: str
) -> None:
    await tried(services, room, None, PLAIN)
    texts = [NEAR, NEAR_AGAIN, DIRECTOR, PLATITUDE, "Prefer older titles.", "Prefer long titles."]
    near, again, director, platitude, older, untried = await stored(services, room, *texts)
    ranks = [HELPFUL, [*HELPFUL[:-1], 3], lifted(3, 0.3, plain=PLAIN), PLAIN, HARMFUL]
    for text, its in zip(texts, ranks, strict=False):
        await tried(services, room, text, its)

    dry = await tidy_hints(Context(domain=room), dry_run=True)
    assert (dry.llm_calls, dry.trials, dry.dry_run) == (0, 0, True)
    assert set((await statuses(room)).values()) == {"active"}

    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert found.changed == dry.changed
    assert verdicts(found) == {again: "same", older: "harms", platitude: "no_effect"}
    assert [(hint.id, hint.standing) for hint in found.kept] == [
        (near, "helps"),
        (director, "helps"),
        (untried, "undecided"),
    ]
    assert await statuses(room) == {
        near: "active",
        again: "retired",
        director: "active",
        platitude: "retired",
        older: "retired",
        untried: "active",
    }
    # Each decision is told with its figures, and stays with the hint.
    for hint in found.changed:
        story = await show_hint(Context(domain=room), hint.id)
        [decision] = story["decisions"]
        assert decision["reason"] == hint.reason == story["provenance"]["retired_because"]
        assert decision["figures"] == hint.figures
        assert (decision["before"], decision["after"]) == ("active", "retired")
    by_id = {hint.id: hint for hint in found.changed}
    assert by_id[again].figures["hint"] == near
    assert by_id[again].figures["likeness"] > 0.95
    assert by_id[older].figures["ci90"][1] < 0
    assert "132 sessions" in by_id[platitude].reason
    # Once is enough.
    again_found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert again_found.changed == []
    assert count(url, room, "hint_trial") == 6 * len(SESSIONS)


def count(url: str, domain: str, table: str) -> int:
    with psycopg.connect(libpq(url)) as connection:
        row = connection.execute(
            f"SELECT count(*) FROM re2llm.{table} AS t JOIN re2llm.domain AS d "
            "ON d.id = t.domain_id WHERE name = %s",
            [domain],
        ).fetchone()
    assert row is not None
    return row[0]


async def test_two_that_do_nothing_are_no_duplicates(services: Services, room: str) -> None:
    await tried(services, room, None, PLAIN)
    one, other = await stored(services, room, "Do your best.", "Do your very best.")
    for text in ("Do your best.", "Do your very best."):
        await tried(services, room, text, PLAIN)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert verdicts(found) == {one: "no_effect", other: "no_effect"}


@pytest.mark.long
async def test_like_texts_that_bring_something_else_both_stay(
    services: Services, room: str
) -> None:
    await tried(services, room, None, PLAIN)
    await stored(services, room, NEAR, NEAR_AGAIN)
    await tried(services, room, NEAR, lifted(1, 0.3, plain=PLAIN))
    await tried(services, room, NEAR_AGAIN, lifted(2, 0.3, plain=PLAIN))
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert found.changed == []
    assert [hint.standing for hint in found.kept] == ["helps", "helps"]


@pytest.mark.long
async def test_a_merged_hints_trials_count_for_the_one_that_stays(
    services: Services, room: str
) -> None:
    await tried(services, room, None, PLAIN)
    near, again = await stored(services, room, NEAR, NEAR_AGAIN)
    await tried(services, room, NEAR, HELPFUL[:60])
    await tried(services, room, NEAR_AGAIN, HELPFUL[:40])
    await tidy_hints(Context(domain=room), max_llm_calls=0)
    # More of the other's trials come to light, such as of a worker that was late.
    await tried(services, room, NEAR_AGAIN, HELPFUL)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    [kept] = found.kept
    assert (kept.id, kept.gain.sessions) == (near, len(SESSIONS))
    listed = {hint.id: hint for hint in (await list_hints(Context(domain=room))).hints}
    assert listed[near].trials == listed[again].trials == len(SESSIONS)
    story = await show_hint(Context(domain=room), near)
    assert story["merged"] == [again]
    [of_model] = story["trials"]
    assert of_model["sessions"] == len(SESSIONS)
    found = await whole_hint(Context(domain=room), near, count=500)
    trials, total = found.trials, found.total
    assert len(trials) == total == len({trial.session for trial in trials}) == len(SESSIONS)
    verified = await verify_hints(Context(domain=room), [near])
    assert (verified.llm_calls, verified.hints[0].gain.sessions) == (0, len(SESSIONS))
    assert (await show_hint(Context(domain=room), again))["merged_into"] == near
    # A person may want it back: then it stands for itself again.
    await approve_hints(Context(domain=room), [again])
    assert (await show_hint(Context(domain=room), again))["merged_into"] is None


async def test_sessions_on_which_a_merged_hint_was_proposed_flatter_the_other_too(
    services: Services, room: str, url: str
) -> None:
    near, again = await stored(services, room, NEAR, NEAR_AGAIN)
    keys = await keys_of(services, room)
    with psycopg.connect(libpq(url)) as connection:
        change(connection, room, [again], merged_into=near, status="retired")
        for hint, key in ((near, keys[0]), (again, keys[1])):
            connection.execute(
                "WITH d AS (SELECT id FROM re2llm.domain WHERE name = %s), missed AS ("
                "INSERT INTO re2llm.reflection (domain_id, session_id, model, prompt_version, "
                "rank, diagnosis, messages) SELECT id, %s, 'm', 'v', 9, '', '[]' FROM d "
                "RETURNING id) INSERT INTO re2llm.hint_proposal (domain_id, reflection_id, text, "
                "outcome, reason, hint_id, verification) SELECT d.id, missed.id, '', 'stored', '', "
                "%s, '{}' FROM d, missed",
                [room, key, hint],
            )
    async with services.engine.connect() as connection:
        found = await find_domain(connection, room)
        own = await own_sessions(connection, found.id)
    assert own == {near: {keys[0], keys[1]}, again: {keys[1]}}
    await tried(services, room, None, PLAIN)
    await tried(services, room, NEAR_AGAIN, HELPFUL)
    [kept] = (await tidy_hints(Context(domain=room), dry_run=True)).kept
    assert kept.gain.sessions == len(SESSIONS) - 2


async def test_a_person_waits_for_a_decision_on_the_hints(
    services: Services, room: str, url: str
) -> None:
    """Else a change between its reading and its writing would be lost."""
    [near] = await stored(services, room, NEAR)
    async with services.engine.begin() as connection:
        await hold_hints(connection, (await find_domain(connection, room)).id)
        retiring = asyncio.create_task(retire_hints(Context(domain=room), [near]))
        with psycopg.connect(libpq(url), autocommit=True) as watching:
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while watching.execute(waits).fetchone() == (0,):
                assert not retiring.done()
                await asyncio.sleep(0.01)
    await retiring
    assert await statuses(room) == {near: "retired"}


@pytest.mark.long
async def test_verification_leaves_a_hint_that_a_person_retired_meanwhile(
    services: Services, script: Callable[..., Any], room: str, url: str
) -> None:
    [near] = await stored(services, room, NEAR, status="pending")
    answer = scripted(ALL)

    def retiring(messages: Any) -> str:
        with psycopg.connect(libpq(url)) as connection:
            change(connection, room, [near], status="retired")
        return answer(messages)

    name, _ = script(retiring)
    found = await verify_hints(Context(domain=room, model=name), [near])
    assert (found.hints[0].outcome, found.hints[0].status) == ("helps", "retired")
    assert await statuses(room) == {near: "retired"}


@pytest.mark.long
async def test_what_another_hint_is_better_than_everywhere_is_dominated(
    services: Services, room: str
) -> None:
    await tried(services, room, None, PLAIN)
    better, worse = await stored(services, room, NEAR, DIRECTOR)
    await tried(services, room, NEAR, HELPFUL)
    rng = random.Random(4)
    weaker = [
        3 if rank == 1 and rng.random() < 0.6 else plain
        for rank, plain in zip(HELPFUL, PLAIN, strict=True)
    ]
    await tried(services, room, DIRECTOR, weaker)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert verdicts(found) == {worse: "dominated"}
    assert found.changed[0].figures["hint"] == better


@pytest.mark.long
async def test_a_pending_hint_changes_once(services: Services, room: str, adjust: Change) -> None:
    """It is proven, but another one is better everywhere; or there is no room for it."""
    await tried(services, room, None, PLAIN)
    [better] = await stored(services, room, NEAR)
    [worse] = await stored(services, room, DIRECTOR, status="pending")
    await tried(services, room, NEAR, HELPFUL)
    rng = random.Random(4)
    halves = zip(HELPFUL, PLAIN, strict=True)
    weaker = [3 if rank == 1 and rng.random() < 0.6 else plain for rank, plain in halves]
    await tried(services, room, DIRECTOR, weaker)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert [(hint.id, hint.verdict, hint.before) for hint in found.changed] == [
        (worse, "dominated", "pending")
    ]
    assert await statuses(room) == {better: "active", worse: "retired"}

    [other] = await stored(services, room, "Prefer long films.", status="pending")
    await tried(services, room, "Prefer long films.", lifted(3, 0.3, plain=PLAIN))
    adjust(**SMALL, hints_max=1)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert [(hint.id, hint.verdict) for hint in found.changed] == [(other, "surplus")]
    assert (await statuses(room))[other] == "retired"


@pytest.mark.long
async def test_a_hint_in_use_stays_while_the_better_one_waits_for_a_person(
    services: Services, room: str, adjust: Change
) -> None:
    await tried(services, room, None, PLAIN)
    [better] = await stored(services, room, NEAR, status="pending")
    [worse] = await stored(services, room, DIRECTOR)
    await tried(services, room, NEAR, HELPFUL)
    rng = random.Random(4)
    halves = zip(HELPFUL, PLAIN, strict=True)
    weaker = [3 if rank == 1 and rng.random() < 0.6 else plain for rank, plain in halves]
    await tried(services, room, DIRECTOR, weaker)
    adjust(**SMALL, approve_hints=True)
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []
    assert await statuses(room) == {better: "pending", worse: "active"}
    await approve_hints(Context(domain=room), [better])
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert verdicts(found) == {worse: "dominated"}


@pytest.mark.long
async def test_an_unused_hint_stays_in_place_of_a_used_one_that_says_the_same(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    await tried(services, room, None, PLAIN)
    first, second = await stored(services, room, NEAR, NEAR_AGAIN)
    for text in (NEAR, NEAR_AGAIN):
        await tried(services, room, text, HELPFUL)
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
    with psycopg.connect(libpq(url)) as connection:
        change(connection, room, [first, second], status_since=ago)
    log(url, room, second, 1_500)
    adjust(**SMALL, hints_unused_days=90)
    for expected in ({second: "same"}, {}):  # later, what was merged counts as use
        found = await tidy_hints(Context(domain=room), max_llm_calls=0)
        assert verdicts(found) == expected
    assert await statuses(room) == {first: "active", second: "retired"}


async def test_a_pending_hint_is_decided_on_after_an_interruption(
    services: Services, room: str
) -> None:
    """All its trials were paid for; the run ended before it decided."""
    await tried(services, room, None, PLAIN)
    [near] = await stored(services, room, NEAR, status="pending")
    await tried(services, room, NEAR, HELPFUL)
    found = await verify_hints(Context(domain=room))
    assert (found.llm_calls, [hint.status for hint in found.hints]) == (0, ["active"])
    assert await statuses(room) == {near: "active"}
    again = await verify_hints(Context(domain=room))
    assert again.hints == []


async def test_a_session_that_the_model_declines_holds_nothing_up(
    services: Services, room: str, adjust: Change
) -> None:
    """What people get then, with a hint and without, is the first stage's order."""
    declined: list[str] = []

    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        lines = str(body["messages"][-1]["content"]).split("\n")
        prompt = "\n".join(line for line in lines if not line.startswith("Hint:"))
        declined.append(prompt)
        filtered = error("The prompt was filtered", "content_filter")
        return (400, filtered) if prompt == declined[0] else None

    await stored(services, room, NEAR, DIRECTOR)
    with FaultServer(refuse=refuse).running() as server:
        own_model(server, adjust)
        adjust(verify_random=30, verify_doubtful=1, concurrency=1, model=services.settings.model)
        found = await verify_hints(Context(domain=room))
        assert (found.stopped, found.left, len(found.hints)) == (None, 0, 2)
        assert 1 <= declined.count(declined[0]) <= 5  # without a hint, and twice with each
        asked = len(server.asked)
        again = await verify_hints(Context(domain=room), [hint.id for hint in found.hints])
        assert (again.llm_calls, len(server.asked)) == (0, asked)


async def test_verification_draws_few_sessions_of_one_key(
    services: Services, room: str, url: str
) -> None:
    keys = await keys_of(services, room)
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(
            "UPDATE re2llm.session SET source = 'someone' WHERE id = ANY(%s)", [keys[:64]]
        )
        connection.execute(
            "UPDATE re2llm.domain SET revision = revision + 1 WHERE name = %s", [room]
        )
    await tried(services, room, None, PLAIN)
    [near] = await stored(services, room, NEAR)
    await tried(services, room, NEAR, [*([20] * 64), *lifted(1, 0.9, plain=PLAIN)[64:]])
    found = await verify_hints(Context(domain=room), [near])
    [hint] = found.hints
    assert (hint.outcome, hint.status) == ("helps", "active")
    assert found.llm_calls == 0
    [shown] = (await list_hints(Context(domain=room))).hints
    assert shown.mean_gain > 0


@pytest.mark.long
async def test_only_hints_that_were_tried_enough_are_compared(
    services: Services, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def counted(gains: Any, embeddings: Any) -> Any:
        compared.append(len(gains))
        return pairs(gains, embeddings)

    monkeypatch.setattr("re2llm.ranking.hints.tidying.pairs", counted)
    await tried(services, room, None, PLAIN)
    await stored(services, room, *TEXTS, *(f"Prefer films of the year {n}." for n in range(50)))
    for text in (NEAR, NEAR_AGAIN):
        await tried(services, room, text, HELPFUL)
    await tried(services, room, DIRECTOR, HELPFUL[:23])
    await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert compared == [2]


async def test_the_newest_sessions_show_that_a_hint_has_come_to_harm(
    services: Services, room: str
) -> None:
    await tried(services, room, None, PLAIN)
    [near] = await stored(services, room, NEAR)
    await tried(services, room, NEAR, [*lifted(1, 0.9, plain=PLAIN)[:-24], *([20] * 24)])
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert verdicts(found) == {near: "harms_lately"}


async def test_the_random_sessions_do_not_come_with_one_key_alone(
    services: Services, room: str, url: str
) -> None:
    """A key sends 64 sessions on which a good hint does harm; they are not the newest ones."""
    await tried(services, room, None, PLAIN)
    await stored(services, room, NEAR)
    await tried(services, room, NEAR, [*([20] * 64), *lifted(1, 0.9, plain=PLAIN)[64:]])
    keys = await keys_of(services, room)
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(
            "UPDATE re2llm.session SET source = 'someone' WHERE id = ANY(%s)", [keys[:64]]
        )
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert found.changed == []
    [kept] = found.kept
    assert kept.gain.sessions <= (len(keys) - 64) / 0.95  # the share of one key is 5 %


async def test_the_newest_sessions_do_not_come_with_one_key_alone(
    services: Services, room: str, url: str
) -> None:
    """Whose key it is could otherwise have any hint retired."""
    await tried(services, room, None, PLAIN)
    await stored(services, room, NEAR)
    await tried(services, room, NEAR, [*lifted(1, 0.9, plain=PLAIN)[:-24], *([20] * 24)])
    keys = await keys_of(services, room)
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(
            "UPDATE re2llm.session SET source = 'someone' WHERE id = ANY(%s)", [keys[-24:]]
        )
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert found.changed == []


@pytest.mark.long
async def test_a_store_is_bounded_by_the_best(
    services: Services, adjust: Change, room: str
) -> None:
    adjust(**SMALL, hints_max=3)
    await tried(services, room, None, PLAIN)
    texts = [NEAR, DIRECTOR, "Prefer long films.", "Trust the critics.", "Prefer comedies at noon."]
    numbers = await stored(services, room, *texts)
    for place, text in enumerate(texts[:4]):
        await tried(services, room, text, lifted(place, 0.2 + 0.2 * place, plain=PLAIN))
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    # The one that was not tried may still be good, but for it no proven one goes.
    assert verdicts(found) == {numbers[0]: "surplus"}


@pytest.mark.long
async def test_an_unused_hint_goes_after_long(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    near, director = await stored(services, room, NEAR, DIRECTOR)
    [young] = await stored(services, room, "Prefer long films.")
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
    with psycopg.connect(libpq(url)) as connection:
        change(connection, room, [near, director], status_since=ago)
    log(url, room, near, 999)
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []
    log(url, room, None, 500)
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []
    log(url, room, near, 1)
    adjust(**SMALL, hints_unused_days=0)
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []
    adjust(**SMALL, hints_unused_days=90)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert verdicts(found) == {director: "unused"}
    assert (await statuses(room))[young] == "active"


async def long_stored(services: Services, room: str, url: str) -> list[int]:
    """Store three hints that have been active for 100 days."""
    hints = await stored(services, room, NEAR, DIRECTOR, "Prefer long films.")
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
    with psycopg.connect(libpq(url)) as connection:
        change(connection, room, hints, created_at=ago, status_since=ago)
    return hints


async def test_a_hint_goes_for_no_use_only_where_it_could_be_used_all_the_time(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    near, director, _ = await long_stored(services, room, url)
    release(url, room, 1, "paper", [near, director], status="active")  # it knows two of them
    await retire_hints(Context(domain=room), [director])
    await approve_hints(Context(domain=room), [director])  # it is active since just now
    log(url, room, near, 1_500)
    adjust(**SMALL, hints_unused_days=90)
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []
    with psycopg.connect(libpq(url)) as connection:
        ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
        change(connection, room, [director], status_since=ago)
    found = await tidy_hints(Context(domain=room), max_llm_calls=0)
    assert verdicts(found) == {director: "unused"}


async def test_only_answers_that_could_have_had_a_hint_say_that_it_is_not_used(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    near, director, long = await long_stored(services, room, url)
    release(url, room, 1, "paper", [near, director])
    release(url, room, 2, "content", [near, director, long], status="active")
    adjust(**SMALL, hints_unused_days=90)
    log(url, room, near, 1_500, policy="ppo:1")
    # The active one has not answered yet, and the other one did not know the third hint.
    found = await tidy_hints(Context(domain=room), dry_run=True)
    assert verdicts(found) == {director: "unused"}
    log(url, room, near, 999, policy="ppo:2")
    assert verdicts(await tidy_hints(Context(domain=room), dry_run=True)) == verdicts(found)
    log(url, room, near, 1, policy="ppo:2")
    gone = (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed
    assert {one.id: one.figures["recommendations"] for one in gone} == {
        director: 2_500,
        long: 1_000,
    }


async def test_a_hint_that_the_training_left_out_is_not_unused(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    near, director, long = await long_stored(services, room, url)
    choice = {"left_out": [director], "stats": {str(near): {}}}
    release(url, room, 1, "content", [near], status="active", config={"hints": choice})
    adjust(**SMALL, hints_unused_days=90)
    log(url, room, near, 1_500, policy="ppo:1")
    assert verdicts(await tidy_hints(Context(domain=room), dry_run=True)) == {long: "unused"}


async def test_an_answer_with_several_hints_is_one_answer(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    near, director, long = await stored(services, room, NEAR, DIRECTOR, "Prefer long films.")
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
    with psycopg.connect(libpq(url)) as connection:
        change(connection, room, [long], status_since=ago)
    adjust(**SMALL, hints_unused_days=90)
    log(url, room, near, 999, [near, director])
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []
    log(url, room, near, 1, [near, director])
    [gone] = (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed
    assert (gone.id, gone.figures) == (long, {"recommendations": 1_000})
    assert "the last 1,000 recommendations" in gone.reason


async def test_a_hint_that_is_picked_second_is_used(
    services: Services, room: str, url: str, adjust: Change
) -> None:
    near, director = await stored(services, room, NEAR, DIRECTOR)
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
    with psycopg.connect(libpq(url)) as connection:
        change(connection, room, [near, director], status_since=ago)
    log(url, room, near, 1_500)
    log(url, room, near, 1, [near, director])
    adjust(**SMALL, hints_unused_days=90)
    assert (await tidy_hints(Context(domain=room), max_llm_calls=0)).changed == []


def change(
    connection: psycopg.Connection[Any], domain: str, hints: Sequence[int], **values: Any
) -> None:
    """Change columns of a domain's hints."""
    for column, value in values.items():
        connection.execute(
            f"UPDATE re2llm.hint SET {column} = %s WHERE id = ANY(%s) "
            "AND domain_id = (SELECT id FROM re2llm.domain WHERE name = %s)",
            [value, list(hints), domain],
        )


def release(
    url: str,
    domain: str,
    number: int,
    recipe: str,
    hints: list[int],
    status: str = "inactive",
    config: Mapping[str, Any] | None = None,
) -> None:
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(
            "INSERT INTO re2llm.policy_release (domain_id, number, status, recipe, weights, "
            "encoder, prompt_version, model, hint_set, hint_ids, config, metrics) SELECT id, %s, "
            "%s, %s, '', '', '', '', '', %s, %s, '{}' FROM re2llm.domain WHERE name = %s",
            [number, status, recipe, json.dumps(hints), json.dumps(config or {}), domain],
        )


def log(
    url: str,
    domain: str,
    hint: int | None,
    times: int,
    together: list[int] | None = None,
    policy: str = "ppo:1",
) -> None:
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(
            "INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, "
            "policy, hint_id, hint_ids, probability, model, prompt_version, flags, latency_ms, "
            "tokens) "
            "SELECT gen_random_uuid(), d.id, '{}', '{}', '{}', %s, %s, %s, 1, 'm', 'v', '{}', "
            "1, '{}' FROM re2llm.domain AS d, generate_series(1, %s) WHERE name = %s",
            [policy, hint, together, times, domain],
        )


# With a model that is asked


def scripted(effects: dict[str, Callable[[int, int], int]]) -> Callable[[Any], str]:
    """Answer such that a hint moves the target as its function says.

    Args:
        effects: By words in the hint, from a number of the session and the rank without a hint to
            the rank with it.
    """
    titles = {item.id: item.title for item in sample_items()}
    targets = {
        tuple(titles[item] for item in session.history): titles[session.target or ""]
        for session in SESSIONS
    }

    def answer(messages: Any) -> str:
        document = document_of(messages)
        past = tuple(entry["title"] for entry in document["history"])
        number = int.from_bytes(hashlib.sha256("|".join(past).encode()).digest()[:4])
        rank = 2 + number % 9
        for words, effect in effects.items():
            if words in document.get("hint", ""):
                rank = effect(number, rank)
        order = [entry["number"] for entry in document["candidates"]]
        right = [e["number"] for e in document["candidates"] if e["title"] == targets[past]]
        others = [one for one in order if one not in right]
        return json.dumps({"ranking": [*others[: rank - 1], *right, *others[rank - 1 :]]})

    return answer


def helps(every: int) -> Callable[[int, int], int]:
    return lambda number, rank: 1 if number // 9 % every == 0 else rank


def harms(number: int, rank: int) -> int:
    return rank + 8 if number % 2 else rank


ALL = {
    "right before": helps(2),
    "directors": helps(3),
    "older": harms,
    "long": lambda number, rank: rank + number // 31 % 3 - 1,
}
TEXTS = [
    "Prefer older titles.",
    NEAR_AGAIN,
    "Prefer long films.",
    NEAR,
    PLATITUDE,
    DIRECTOR,
]


async def tidied(domain: str, name: str, **limits: Any) -> TidiedHints:
    return await tidy_hints(Context(domain=domain, model=name), **limits)


@pytest.mark.long
async def test_hints_are_tried_until_they_are_decided_on(
    services: Services, script: Script, room: str
) -> None:
    name, model = script(scripted(ALL))
    older, again, long, near, platitude, director = await stored(services, room, *TEXTS)
    steps: list[str] = []
    found = await tidied(
        room, name, progress=lambda stage, done, total=None, note="": steps.append(note)
    )
    retired = {hint.id for hint in found.changed if hint.status == "retired"}
    assert retired == {older, near, long, platitude}
    assert verdicts(found)[near] == "same"  # the older one of two that are as good stays
    assert [(hint.id, hint.standing) for hint in found.kept] == [
        (again, "helps"),
        (director, "helps"),
    ]
    assert found.undecided == 0
    assert found.llm_calls == len(model.asked) < 0.8 * len(SESSIONS) * (len(TEXTS) + 1)
    assert any("on 24 sessions" in note for note in steps)
    # What harms or repeats cost the least.
    tried_on = {
        text: sum(document_of(asked).get("hint") == text for asked in model.asked) for text in TEXTS
    }
    assert tried_on[NEAR] <= 48
    assert tried_on["Prefer older titles."] <= 48


@pytest.mark.long
async def test_pending_hints_are_decided_on_too(
    services: Services, script: Script, adjust: Change, room: str
) -> None:
    name, _ = script(scripted(ALL))
    near, long = await stored(services, room, NEAR, "Prefer long films.", status="pending")
    adjust(**SMALL, approve_hints=True)
    found = await tidied(room, name)
    assert await statuses(room) == {near: "pending", long: "retired"}
    adjust(**SMALL, approve_hints=False)
    found = await tidied(room, name)
    assert (found.llm_calls, verdicts(found)) == (0, {near: "helps"})
    assert (await statuses(room))[near] == "active"


@pytest.mark.long
async def test_another_model_verifies_anew(services: Services, script: Script, room: str) -> None:
    first, _ = script(scripted(ALL))
    other, _ = script(scripted({"right before": harms, "directors": helps(2)}))
    near, director = await stored(services, room, NEAR, DIRECTOR)
    assert (await tidied(room, first)).changed == []
    found = await tidied(room, other)
    assert verdicts(found).keys() == {near}
    assert (await statuses(room)) == {near: "retired", director: "active"}


@pytest.mark.long
async def test_a_dry_run_may_pay_for_trials_but_changes_nothing(
    services: Services, script: Script, room: str
) -> None:
    name, model = script(scripted(ALL))
    await stored(services, room, *TEXTS)
    dry = await tidied(room, name, dry_run=True, max_llm_calls=100_000)
    assert set((await statuses(room)).values()) == {"active"}
    assert len(model.asked) == dry.llm_calls > 0
    found = await tidied(room, name)
    assert found.llm_calls == 0
    assert verdicts(found) == verdicts(dry)


@pytest.mark.long
async def test_a_small_budget_stops_and_further_runs_go_on(
    services: Services, script: Script, room: str
) -> None:
    name, model = script(scripted(ALL))
    await stored(services, room, *TEXTS[:4])
    whole = await tidied(room, name, dry_run=True, max_llm_calls=100_000)
    other, asked = script(scripted(ALL))
    changed: dict[int, str] = {}
    for _ in range(100):
        found = await tidied(room, other, max_llm_calls=90)
        assert found.llm_calls <= 90
        changed |= verdicts(found)
        if found.stopped is None:
            break
        assert found.stopped["kind"] == "budget"
    assert changed == verdicts(whole)
    # What the others know already may decide on a hint earlier, or a little later.
    assert len(model.asked) / 2 < len(asked.asked) < 1.1 * len(model.asked)


@pytest.mark.long
async def test_an_outage_ends_it_and_keeps_what_was_paid(
    services: Services, script: Script, room: str, adjust: Change
) -> None:
    adjust(**SMALL, model_retries=0, breaker_pause=0.01)
    answer, calls = scripted(ALL), 0

    def failing(messages: Any) -> str:
        nonlocal calls
        calls += 1
        if calls > 60:
            raise ConnectionError
        return answer(messages)

    name, _ = script(failing)
    await stored(services, room, *TEXTS[:3])
    found = await tidied(room, name)
    assert found.stopped is not None
    assert found.stopped["kind"] == ModelDownError.kind
    assert found.trials > 20
    calls = -100_000
    assert (await tidied(room, name)).stopped is None


# At the end of learning, and in the command


async def test_learning_tidies_by_what_it_knows(services: Services, room: str) -> None:
    await tried(services, room, None, [4] * len(SESSIONS))  # nothing is missed
    near, again, platitude = await stored(services, room, NEAR, NEAR_AGAIN, PLATITUDE)
    for text in (NEAR, NEAR_AGAIN):
        await tried(services, room, text, HELPFUL)
    learned = await learn(Context(domain=room), tidy=False)
    assert (learned.tidied, learned.hints) == ([], 3)
    learned = await learn(Context(domain=room))
    assert (learned.llm_calls, learned.hints) == (0, 2)
    assert [(hint.id, hint.verdict) for hint in learned.tidied] == [(again, "same")]
    assert learned.as_dict()["tidied"] == [hint.model_dump() for hint in learned.tidied]
    assert await statuses(room) == {near: "active", again: "retired", platitude: "active"}


async def test_learning_leaves_missing_proofs_to_tidying(services: Services, room: str) -> None:
    """Verification accepts hints by its own measure, which is the milder one."""
    await tried(services, room, None, [4] * len(SESSIONS))
    [weak] = await stored(services, room, "Prefer long titles.")
    rng = random.Random(3)
    await tried(services, room, "Prefer long titles.", [rng.choice([3, 4, 5]) for _ in SESSIONS])
    assert (await learn(Context(domain=room))).tidied == []
    assert await statuses(room) == {weak: "active"}
    assert verdicts(await tidy_hints(Context(domain=room), max_llm_calls=0)) == {weak: "no_gain"}


async def test_learning_stops_where_the_store_is_full(
    services: Services, adjust: Change, room: str
) -> None:
    adjust(**SMALL, hints_max=2)
    await stored(services, room, NEAR, DIRECTOR)
    learned = await learn(Context(domain=room), max_hints=1000)
    assert (learned.sessions, learned.llm_calls, learned.hints) == (0, 0, 2)
    assert learned.full
    assert learned.as_dict()["full"] is True


@pytest.mark.long
async def test_a_full_store_is_told_even_if_tidying_makes_room(
    services: Services, room: str
) -> None:
    await tried(services, room, None, PLAIN)
    near, older = await stored(services, room, NEAR, "Prefer older titles.")
    await tried(services, room, NEAR, HELPFUL)
    await tried(services, room, "Prefer older titles.", HARMFUL)
    words = ["learn", "--domain", room, "--max-hints", "2"]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert done.exit_code == 0, done.stderr
    assert await statuses(room) == {near: "active", older: "retired"}
    assert "there is room for 2 hints; --max-hints allows more. " in " ".join(done.stderr.split())


@pytest.mark.long
async def test_the_command_tells_each_decision(services: Services, room: str) -> None:
    await tried(services, room, None, PLAIN)
    near, older = await stored(services, room, NEAR, "Prefer older titles.")
    await tried(services, room, NEAR, HELPFUL)
    await tried(services, room, "Prefer older titles.", HARMFUL)

    async def command(*words: str) -> Any:
        given = ["hints", "tidy", "--domain", room, *words]
        return await asyncio.to_thread(CliRunner().invoke, app, given)

    dry = await command("--dry-run")
    assert dry.exit_code == 0, dry.stderr
    assert "1 hint would be retired (harms 1); 1 stays" in dry.stdout
    done = await command("--max-llm-calls", "0", "--json")
    document = json.loads(done.stdout)
    assert [hint["id"] for hint in document["changed"]] == [older]
    assert [hint["id"] for hint in document["kept"]] == [near]
    again = await command("--max-llm-calls", "0")
    assert "0 hints retired; 1 stays, 0 of them undecided. 0 model calls" in again.stdout
    refused = await command("--dry-run", "--detach")
    assert refused.exit_code == 1
    assert "--detach" in refused.stderr


async def test_a_domain_without_sessions_or_hints_is_tidy(
    services: Services, domain: str, load: Any
) -> None:
    await load(domain, sample_items()[:5])
    found = await tidy_hints(Context(domain=domain))
    assert (found.changed, found.kept, found.llm_calls) == ([], [], 0)
    await stored(services, domain, NEAR)
    found = await tidy_hints(Context(domain=domain))
    assert [hint.standing for hint in found.kept] == ["undecided"]
    words = ["hints", "tidy", "--domain", domain]
    asked = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert "1 stays, 1 of them undecided" in asked.stdout
    assert "Load more: re2llm load" in asked.stderr
    free = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--max-llm-calls", "0"])
    assert "without --max-llm-calls 0 tries" in free.stderr
