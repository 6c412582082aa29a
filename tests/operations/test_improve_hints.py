"""`re2llm hints improve`: what is made of known hints, what is kept, and what it costs."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.decisions import StatusChange, apply_change, own_sessions
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.operations.hints.improve import improve_hints
from re2llm.operations.hints.manage import list_hints, show_hint
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from tried import keys_of, stored, tried
from typer.testing import CliRunner

FILMS = sample_items()


def with_candidates(session: Session) -> Session:
    others = [i.id for i in FILMS if i.id not in {*session.history, session.target}]
    drawn = random.Random(str(session)).sample(others, 19)
    return replace(session, candidates=(*drawn, session.target or ""))


SESSIONS = [with_candidates(session) for session in simulate_sessions(44, seed=5)]
"""132, all of which hints are tried on."""
FIRST, SECOND = "Prefer well-known titles.", "Prefer the same genres as in the history."
CHILD = "Prefer well-known titles; prefer the same genres as in the history."
GENTLER = "Prefer well-known titles; slightly prefer the same genres as in the history."
PLAIN = [9] * len(SESSIONS)
HALF = [2 if place % 2 else 9 for place in range(len(SESSIONS))]
OTHER_HALF = [3 if place % 2 == 0 else 9 for place in range(len(SESSIONS))]
BOTH = [min(ranks) for ranks in zip(HALF, OTHER_HALF, strict=True)]

Script = Callable[..., Any]


@pytest.fixture
async def room(services: Services, adjust: Callable[..., None], domain: str) -> str:
    await load_domain(services, domain, FILMS, [lambda _: SESSIONS])
    adjust(verify_random=200, verify_doubtful=1, concurrency=4)
    await stored(services, domain, FIRST, SECOND)
    for text, ranks in ((None, PLAIN), (FIRST, HALF), (SECOND, OTHER_HALF)):
        await tried(services, domain, text, ranks)
    return domain


async def active(domain: str) -> list[str]:
    return [hint.text for hint in (await list_hints(Context(domain=domain))).hints]


async def plant(services: Services, domain: str, **ranks: Sequence[int]) -> None:
    for text, its in {CHILD: ranks["child"], GENTLER: ranks["gentler"]}.items():
        await tried(services, domain, text, its)


async def test_a_child_that_helps_where_either_parent_does_is_stored(
    services: Services, room: str
) -> None:
    await plant(services, room, child=BOTH, gentler=HALF)
    found = await improve_hints(Context(domain=room), attempts=1)
    [child] = found.tried
    assert (child.way, child.outcome, child.text) == ("join", "better", CHILD)
    assert (found.stored, found.stopped) == (1, None)
    assert child.gain is not None
    assert child.over_best is not None
    assert child.gain.mean > child.over_best.mean > 0
    # The six sessions that the model was shown do not count, now or later.
    assert child.gain.sessions in {96, len(SESSIONS) - 6}
    assert child.hint_id is not None
    story = await show_hint(Context(domain=room), child.hint_id)
    assert story["provenance"]["source"] == "improvement"
    assert story["provenance"]["parents"] == child.parents
    async with services.engine.connect() as connection:
        own = await own_sessions(connection, (await find_domain(connection, room)).id)
    assert own[child.hint_id] == set(story["provenance"]["sessions"])
    assert len(own[child.hint_id]) == 6
    assert own[child.hint_id] <= set(await keys_of(services, room))
    listed = {hint.text: hint for hint in (await list_hints(Context(domain=room))).hints}
    assert listed[CHILD].trials > 96


async def test_sessions_that_flatter_a_parent_do_not_count_for_its_child(
    services: Services, room: str
) -> None:
    await plant(services, room, child=BOTH, gentler=HALF)
    keys = await keys_of(services, room)
    wrote = set(keys[:20])
    async with services.engine.begin() as connection:
        await connection.execute(
            sa.text(
                "UPDATE re2llm.hint SET provenance = provenance"
                " || jsonb_build_object('sessions', CAST(:keys AS jsonb)) WHERE text = :text"
            ),
            {"keys": json.dumps(sorted(wrote)), "text": FIRST},
        )
    found = await improve_hints(Context(domain=room), attempts=1)
    [child] = found.tried
    assert child.gain is not None
    assert child.gain.sessions <= len(SESSIONS) - len(wrote)
    assert child.hint_id is not None
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, room)
        own = (await own_sessions(connection, domain.id))[child.hint_id]
    assert wrote < own


@pytest.mark.long
async def test_a_child_that_is_no_better_is_not_stored(services: Services, room: str) -> None:
    await plant(services, room, child=HALF, gentler=OTHER_HALF)
    found = await improve_hints(Context(domain=room), attempts=1)
    assert [child.outcome for child in found.tried] == ["no_better", "no_better"]
    assert found.llm_calls == 1  # to write them; all trials were paid
    assert await active(room) == [FIRST, SECOND]
    again = await improve_hints(Context(domain=room), attempts=1)
    assert again.tried[0].parents != found.tried[0].parents


async def attempted(room: str, attempts: int = 1, **options: Any) -> list[frozenset[int]]:
    found = await improve_hints(Context(domain=room, **options), attempts=attempts)
    return [frozenset(child.parents) for child in found.tried]


async def test_what_failed_is_not_attempted_again(
    services: Services, room: str, script: Script
) -> None:
    known = json.dumps({"hints": [{"text": FIRST}]})
    name, _ = script(lambda _: known)
    joined, *mended = [(await attempted(room, reflect_model=name))[0] for _ in range(3)]
    assert len(joined) == 2
    assert {joined, *mended} == {joined, *(frozenset([one]) for one in joined)}
    assert await attempted(room, 5, reflect_model=name) == []
    # A new hint can be joined with each, also with those that failed.
    [third] = await stored(services, room, "Prefer the latest titles.")
    await tried(services, room, "Prefer the latest titles.", BOTH)
    new = await attempted(room, 5, reflect_model=name)
    assert sorted(map(sorted, new)) == sorted(
        [[third], *([*one, third] for one in mended)], key=list
    )
    # It failed with this model as the author, and with so few sessions.
    other, _ = script(lambda _: known)
    assert await attempted(room, reflect_model=other) == [new[0]]
    async with services.engine.begin() as connection:
        await connection.execute(
            sa.text(
                "UPDATE re2llm.hint_proposal SET verification = verification || "
                "jsonb_build_object('sessions', 40) WHERE verification -> 'about' ->> 'author' = :a"
            ),
            {"a": name},
        )
    assert await attempted(room, reflect_model=name) == [new[0]]


async def test_an_author_that_wrote_nothing_is_asked_again(room: str, script: Script) -> None:
    name, _ = script(lambda _: '{"hints": [{"te')  # cut off, for a time
    first = await attempted(room, 3, reflect_model=name)
    assert len(first) == 3
    assert await attempted(room, 3, reflect_model=name) == first


async def test_a_child_that_another_model_has_retired_comes_back(
    services: Services, room: str
) -> None:
    await plant(services, room, child=BOTH, gentler=HALF)
    [number] = await stored(services, room, CHILD)
    change = StatusChange(number, "harms", "active", "retired", "It harms.")
    async with services.engine.begin() as connection:
        found = await find_domain(connection, room)
        assert await apply_change(connection, found.id, change, PromptedModel("other", "-"))
    [child] = (await improve_hints(Context(domain=room), attempts=1)).tried
    assert (child.outcome, child.hint_id) == ("better", number)
    assert (await show_hint(Context(domain=room), number))["status"] == "active"
    async with services.engine.connect() as connection:
        assert len((await own_sessions(connection, found.id))[number]) == 6


async def test_hints_of_which_a_better_one_was_made_are_not_joined_again(
    services: Services, room: str
) -> None:
    await plant(services, room, child=BOTH, gentler=HALF)
    [made] = await attempted(room)
    assert made not in await attempted(room, 3)


async def test_a_new_hint_waits_for_a_person_where_hints_do(
    services: Services, room: str, adjust: Callable[..., None]
) -> None:
    adjust(approve_hints=True, verify_random=200, verify_doubtful=1)
    await plant(services, room, child=BOTH, gentler=HALF)
    await improve_hints(Context(domain=room), attempts=1)
    hints = (await list_hints(Context(domain=room))).hints
    assert [hint.status for hint in hints] == ["active", "active", "pending"]


async def test_no_hint_is_stored_where_there_is_no_room(
    services: Services, room: str, adjust: Callable[..., None]
) -> None:
    adjust(hints_max=2, verify_random=200, verify_doubtful=1)
    await plant(services, room, child=BOTH, gentler=HALF)
    found = await improve_hints(Context(domain=room), attempts=1)
    assert found.stopped is not None
    assert (found.stopped["kind"], found.llm_calls, found.tried) == ("hints_full", 0, [])
    assert len(await active(room)) == 2


async def test_too_few_sessions_to_compare_hints_cost_nothing(
    services: Services, domain: str
) -> None:
    await load_domain(services, domain, FILMS, [lambda _: SESSIONS[:101]])
    with pytest.raises(InputError, match="102 are needed"):
        await improve_hints(Context(domain=domain))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"hints": [FIRST]}, "duplicate"),
        ({"hints": [f"Always recommend {FILMS[0].title} first."]}, "leak"),
        ({"hints": []}, "nothing"),
        ("I would rather not.", "nothing"),
    ],
)
async def test_what_cannot_be_used_costs_no_trial(
    room: str, script: Script, answer: Any, outcome: str
) -> None:
    told = answer if isinstance(answer, str) else json.dumps(answer)
    name, model = script(lambda _: told)
    found = await improve_hints(Context(domain=room, reflect_model=name), attempts=1)
    assert [child.outcome for child in found.tried] == [outcome]
    document = json.loads(model.asked[0][-1].text)
    assert [parent["text"] for parent in document["parents"]] == [FIRST, SECOND]
    assert len(document["sessions"]) == 6
    assert all(len(session["gains"]) == 2 for session in document["sessions"])
    assert await active(room) == [FIRST, SECOND]


async def test_the_budget_ends_it_and_nothing_is_lost(room: str) -> None:
    found = await improve_hints(Context(domain=room), attempts=5, max_llm_calls=3)
    assert found.stopped is not None
    assert found.stopped["kind"] == "budget"
    assert found.llm_calls <= 3


async def test_hints_without_trials_are_no_parents(services: Services, domain: str) -> None:
    await load_domain(services, domain, FILMS, [lambda _: SESSIONS])
    await stored(services, domain, FIRST, SECOND)
    found = await improve_hints(Context(domain=domain))
    assert (found.tried, found.llm_calls) == ([], 0)


async def test_the_command_tells_what_it_has_made(services: Services, room: str) -> None:
    await plant(services, room, child=BOTH, gentler=HALF)
    words = ["hints", "improve", "--domain", room, "--attempts", "1"]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert done.exit_code == 0, done.output
    assert CHILD in done.stdout
    assert "1 better hint stored" in done.stdout
