"""Where training sessions stand in time order, the recent ones know only what came before them."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from re2llm.data.sample import load_films, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.forgetting import delete_sessions
from re2llm.knowledge.schema.tables import TrialRow
from re2llm.knowledge.sessions.evidence import EVIDENCE, EvidenceIndex
from re2llm.knowledge.sessions.time_order import RECENT_SHARE, first_recent
from re2llm.knowledge.sessions.training_sessions import session_keys, training_sessions
from re2llm.operations.loading.load import load_domain
from re2llm.ranking.hints.panels import panel
from re2llm.ranking.hints.trials import resolve_session, run_trial
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import select

COUNT, ITEMS = 600, [f"i{number}" for number in range(400)]
START = round(COUNT * (1 - RECENT_SHARE))
CATALOGUE = [Item(name, f"Thing number {name[1:]}") for name in ITEMS]


def ageing(seed: int = 0) -> list[Session]:
    """Sessions in time order, each of items that came out shortly before."""
    draw = random.Random(seed)
    sessions: list[Session] = []
    for number in range(COUNT):
        newest = 20 + round(number * (len(ITEMS) - 20) / COUNT)
        names = draw.sample(ITEMS[newest - 20 : newest], 4)
        sessions.append(Session(tuple(names[:3]), names[3]))
    return sessions


def chosen(sessions: list[Session]) -> list[list[str]]:
    return [[*session.history, session.target or ""] for session in sessions]


def keyed(sessions: list[Session]) -> list[tuple[int, Session]]:
    return [(100 + 2 * number, session) for number, session in enumerate(sessions)]


@pytest.mark.parametrize("seed", range(5))
def test_time_order_is_noticed_and_a_random_order_is_not(seed: int) -> None:
    sessions = ageing(seed)
    assert first_recent(chosen(sessions)) == START
    random.Random(seed).shuffle(sessions)
    assert first_recent(chosen(sessions)) is None


@pytest.mark.long
def test_an_order_by_person_is_no_time_order() -> None:
    films = chosen(simulate_sessions(400, seed=3, sessions_per_viewer=5))
    assert len({film for session in films for film in session}) > len(load_films()) / 2
    assert first_recent(films) is None
    people = [[f"{person}-{draw}" for draw in (0, 0, 1)] for person in range(500)]
    assert first_recent(people) is None


@pytest.mark.parametrize("size", [2, 3, 20])
@pytest.mark.parametrize("together", [1, 3])
def test_sessions_that_grow_are_no_time_order(size: int, together: int) -> None:
    """Of each the beginnings, or windows; also of several people in turn."""
    draw = random.Random(size)
    names = [f"n{number}" for number in range(6000)]
    rows: list[list[str]] = []
    for _ in range(300 // together):
        people = [draw.sample(names, 9) for _ in range(together)]
        for end in range(size if size < 9 else 5, 10):
            rows += [person[end - 5 if size > 9 else 0 : end] for person in people]
    assert first_recent(rows) is None
    aged = [[*row[:end]] for row in chosen(ageing()) for end in (2, 3, 4)]
    assert first_recent(aged) == 3 * START


@pytest.mark.parametrize("few", [[], [["a", "b"]], [["a", "b"], ["c", "d"]] * 3])
def test_few_sessions_tell_no_time(few: list[list[str]]) -> None:
    assert first_recent(few) is None


def test_a_recent_session_is_shown_what_the_earlier_ones_say() -> None:
    stored = keyed(ageing())
    index = EvidenceIndex(stored, ITEMS, stored[START][0])
    before = EvidenceIndex(stored[:START], ITEMS)
    now = EvidenceIndex(stored, ITEMS)
    assert index.keys == [key for key, _ in stored[START:]]
    later_fame = 0
    for key, own in stored[START::7]:
        shown = index.of(own.history, ITEMS, leave_out=key)
        assert shown == before.of(own.history, ITEMS)
        later_fame += shown != now.of(own.history, ITEMS, leave_out=key)
        assert set(index.neighbours(own.history, leave_out=key, count=30)) < set(index.keys)
        # A session that is asked about in use knows everything.
        assert index.of(own.history, ITEMS) == now.of(own.history, ITEMS)
    assert later_fame, "the test would pass if nothing were kept back"
    key, own = stored[START - 1]
    assert index.of(own.history, ITEMS, leave_out=key) == now.of(own.history, ITEMS, leave_out=key)


@pytest.mark.long
async def test_learning_draws_on_the_recent_sessions_alone(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    sessions = ageing()
    loaded = await load(domain, CATALOGUE, sessions)
    assert loaded.sessions_recent == COUNT - START
    options = await resolve_context(Context(domain=domain))
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        keys = await session_keys(connection, found.id)
    assert len(keys) == COUNT - START
    assert keys[0] == found.recent_from
    state = await resolve_session(domain, keys[0], options)
    assert tuple(state["history"]) == sessions[START].history
    before = EvidenceIndex(keyed(sessions[:START]), ITEMS)
    candidates = [item["id"] for item in state["candidate_items"]]
    expected = before.of(state["history"], candidates)
    from_sessions = EVIDENCE.keys() - {"listed_near"}
    for shown, row in zip(state["evidence"], expected, strict=True):
        assert {n: shown[n] for n in from_sessions} == {n: row[n] for n in from_sessions}
    tried = await panel(domain, state, options)
    assert {*tried.first, *tried.more} < set(keys)


async def test_without_time_order_learning_draws_on_all_sessions(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    sessions = ageing()
    random.Random(1).shuffle(sessions)
    assert (await load(domain, CATALOGUE, sessions)).sessions_recent == 0
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        assert found.recent_from is None
        assert len(await session_keys(connection, found.id)) == COUNT


@pytest.mark.long
async def test_the_border_stays_and_old_trials_go_when_the_order_is_noticed(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    sessions = ageing()
    sources = [lambda _: sessions]
    denied = await load_domain(services, domain, CATALOGUE, sources, any_order=True)
    assert (denied.sessions, denied.sessions_recent) == (COUNT, 0)
    options = await resolve_context(Context(domain=domain, model="offline"))
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        keys = await session_keys(connection, found.id)
    for key in (keys[0], keys[START]):
        await run_trial(domain, key, None, options)
    assert (await load(domain, CATALOGUE, sessions)).sessions_recent == COUNT - START
    async with services.engine.connect() as connection:
        noticed = await find_domain(connection, domain)
        tried = select(TrialRow.session_id).where(TrialRow.domain_id == found.id)
        assert list(await connection.scalars(tried)) == [keys[0]]
    assert noticed.recent_from == keys[START]
    assert noticed.revision > found.revision
    later = Session(("i399", "i398"), "i397")
    assert (await load(domain, CATALOGUE, [later])).sessions_recent == COUNT - START + 1
    async with services.engine.connect() as connection:
        assert (await find_domain(connection, domain)).recent_from == noticed.recent_from


async def test_the_border_goes_with_the_last_earlier_session(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    for _ in range(2):  # what is dropped and loaded again is as it was
        assert (await load(domain, CATALOGUE, ageing())).sessions_recent == COUNT - START
        async with services.engine.begin() as connection:
            found = await find_domain(connection, domain)
            keys = [key for key, _ in await training_sessions(connection, found)]
            for dropped, border in (
                (keys[: START - 1], found.recent_from),
                (keys[START - 1 :], None),
            ):
                await delete_sessions(connection, found, dropped)
                assert (await find_domain(connection, domain)).recent_from == border
