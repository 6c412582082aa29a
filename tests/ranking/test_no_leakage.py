"""Nothing of a session that is being ranked reaches what is known about its candidates."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from prompts import document_of
from re2llm.data.negatives import NegativeSampler
from re2llm.data.sample import load_films, simulate_sessions
from re2llm.graph.recommend import graph
from re2llm.knowledge.catalogue import catalogue_order
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.sessions.evidence import EVIDENCE, EvidenceIndex
from re2llm.knowledge.sessions.training_sessions import training_sessions
from re2llm.llm.embedding.cache import EmbeddingCache
from re2llm.llm.embedding.embeddings import Embedder
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.evaluation.evaluate import evaluate
from re2llm.ranking.shown_evidence import EXPECTED
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

IDS = [film.id for film in load_films()]

items = st.sampled_from(list("abcdefg"))
any_sessions = st.lists(
    st.builds(Session, st.lists(items, min_size=1, max_size=15).map(tuple), items, st.none()),
    min_size=1,
    max_size=12,
)


def keyed(sessions: Sequence[Session]) -> list[tuple[int, Session]]:
    return [(100 + number, session) for number, session in enumerate(sessions)]


def without(sessions: Sequence[tuple[int, Session]], key: int) -> EvidenceIndex:
    """Build the index as if neither the session nor what shows its choice had been stored."""
    own = dict(sessions)[key]
    left_out = EvidenceIndex(sessions).left_out(key)
    assert all(other in left_out for other, session in sessions if session == own)
    return EvidenceIndex([(other, s) for other, s in sessions if other not in left_out])


@pytest.mark.long
@given(sessions=any_sessions, data=st.data())
@examples(max_examples=300, deadline=None)
def test_leaving_a_session_out_equals_never_having_stored_it(
    sessions: list[Session], data: st.DataObject
) -> None:
    stored = keyed(sessions)
    key, own = data.draw(st.sampled_from(stored))
    candidates = [*"abcdefgz"]
    index = EvidenceIndex(stored)
    assert index.of(own.history, candidates, leave_out=key) == without(stored, key).of(
        own.history, candidates
    )


def test_leaving_out_is_exact_on_real_looking_sessions(film_sessions: list[Session]) -> None:
    stored = keyed(film_sessions)
    index = EvidenceIndex(stored)
    from_sessions = EVIDENCE.keys() - {"listed_near"}
    differs = dict.fromkeys(from_sessions, 0)
    for key, own in stored[::6]:
        left_out = index.of(own.history, IDS, leave_out=key)
        assert left_out == without(stored, key).of(own.history, IDS)
        kept = index.of(own.history, IDS)
        for name in from_sessions:
            differs[name] += [row[name] for row in kept] != [row[name] for row in left_out]
    # Without leaving out, every kind of evidence would give something away.
    assert all(differs.values())


def test_copies_of_the_session_left_out_give_nothing_away(film_sessions: list[Session]) -> None:
    key, own = 100, film_sessions[0]
    copied = [*film_sessions, own, own]
    alone = EvidenceIndex(keyed(film_sessions)).of(own.history, IDS, leave_out=key)
    assert EvidenceIndex(keyed(copied)).of(own.history, IDS, leave_out=key) == alone


def test_places_in_the_catalogue_are_compared_with_the_last_items() -> None:
    """1,000 / (1 + distance), as a geometric mean that weighs the last item 4, then 2, then 1."""
    index = EvidenceIndex(keyed([Session(("a",), "b")]), [*"abcdefgh"])
    found = [row["listed_near"] for row in index.of(["a", "c", "d", "h"], ["h", "d", "g", "?"])]
    apart = [(6, 5, 1), (2, 1, 5), (5, 4, 2)]
    expected = [1000 / (one * two**2 * three**4) ** (1 / 7) for one, two, three in apart]
    assert found == pytest.approx([*expected, 0.0], abs=0.01)


def test_the_target_of_the_session_left_out_changes_nothing(film_sessions: list[Session]) -> None:
    stored = keyed(film_sessions)
    key, own = stored[0]
    expected = EvidenceIndex(stored).of(own.history, IDS, leave_out=key)
    for target in IDS[:5]:
        changed = [(key, Session(own.history, target)), *stored[1:]]
        assert EvidenceIndex(changed).of(own.history, IDS, leave_out=key) == expected


def test_neighbours_are_those_of_an_index_without_the_session(
    film_sessions: list[Session],
) -> None:
    stored = keyed(film_sessions)
    for key, own in stored[:5]:
        found = EvidenceIndex(stored).neighbours(own.history, leave_out=key, count=20)
        assert key not in found
        extra = [(key, Session(("x",), "y")), *stored[1:]] if key == stored[0][0] else None
        if extra:
            assert EvidenceIndex(extra).neighbours(own.history, leave_out=key, count=20) == found


def test_what_is_chosen_together_is_counted_right() -> None:
    """Figures that a person can check on four small sessions."""
    index = EvidenceIndex(
        keyed(
            [
                Session(("a", "b"), "c"),
                Session(("a",), "c"),
                Session(("d", "a", "d"), "e"),
                Session(("f",), "g"),
            ]
        )
    )
    rows = dict(zip("acdeg", index.of(["a"], list("acdeg")), strict=True))
    assert {item: row["chosen_by"] for item, row in rows.items()} == {
        "a": 3,
        "c": 2,
        "d": 1,
        "e": 1,
        "g": 1,
    }
    assert rows["c"]["with_recent"] == round(100 * 2 / (4 * 3) ** 0.5, 2)
    assert rows["g"]["with_recent"] == 0
    assert rows["a"]["with_recent"] == 0, "an item is not chosen together with itself"
    assert rows["c"]["near_recent"] == round(2 / 3**0.5, 2)
    assert rows["d"]["near_recent"] == round(2 / 2**0.5, 2)
    assert rows["g"]["similar_sessions"] == 0
    assert rows["c"]["similar_sessions"] > rows["e"]["similar_sessions"] > 0


async def snapshot(services: Services) -> dict[str, list[Any]]:
    """Return every row of every table, with embeddings and popularity."""
    async with services.engine.connect() as connection:
        tables = await connection.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 're2llm'")
        )
        return {
            table: sorted(
                (await connection.scalars(text(f"SELECT t::text FROM re2llm.{table} t"))).all()
            )
            for table in tables.all()
        }


@pytest.fixture
def held_out_file(tmp_path: Path) -> Path:
    """Sessions to evaluate on: some with candidates, some without."""
    sampler = NegativeSampler(IDS, seed=5)
    fresh = simulate_sessions(4, seed=99)
    listed = [sampler.with_candidates(session) for session in fresh[:6]]
    file = tmp_path / "test.jsonl"
    file.write_text(
        "\n".join(
            json.dumps({"history": s.history, "target": s.target, "candidates": s.candidates})
            for s in [*listed, *fresh[6:]]
        )
    )
    return file


async def evaluated(domain: str, file: Path) -> Mapping[str, Any]:
    context = Context(domain=domain, seed=0)
    policies, baselines = ["none", "similar"], ["popularity", "vsknn"]
    return (await evaluate(context, file, policies=policies, baselines=baselines)).document


@pytest.mark.long
async def test_evaluating_stores_nothing(
    services: Services, films: str, held_out_file: Path
) -> None:
    before = await snapshot(services)
    assert before["item"]
    assert before["session"]
    document = await evaluated(films, held_out_file)
    assert document["n"] == 12
    assert await snapshot(services) == before


async def test_evaluating_twice_gives_the_same_figures(films: str, held_out_file: Path) -> None:
    first = await evaluated(films, held_out_file)
    assert await evaluated(films, held_out_file) == first


async def test_the_prompt_is_the_same_whatever_the_target(
    films: str, held_out_file: Path, tmp_path: Path, script: Callable[..., Any]
) -> None:
    """Swap every target for another candidate: the model must see the very same messages."""
    name, model = script(services_answer)
    lines = [json.loads(line) for line in held_out_file.read_text().splitlines()][:6]
    swapped = [
        {**line, "target": next(c for c in line["candidates"] if c != line["target"])}
        for line in lines
    ]
    seen: list[list[str]] = []
    for version, content in enumerate((lines, swapped)):
        file = tmp_path / f"{version}.jsonl"
        file.write_text("\n".join(map(json.dumps, content)))
        model.asked.clear()
        context = Context(domain=films, model=name, seed=0)
        await evaluate(context, file, policies=["none"], baselines=[])
        seen.append(sorted(messages[-1].text for messages in model.asked))
    assert len(seen[0]) == 6
    assert seen[0] == seen[1]


def services_answer(messages: Sequence[Any]) -> str:
    count = len(document_of(messages)["candidates"])
    return json.dumps({"ranking": list(range(1, count + 1))})


async def test_evidence_in_the_prompt_comes_from_the_stored_training_sessions(
    services: Services, films: str, script: Callable[..., Any]
) -> None:
    name, model = script(services_answer)
    request: Any = {"domain": films, "history": IDS[:3], "candidates": IDS[10:40]}
    await graph.ainvoke(request, context=Context(model=name, record=False))
    shown = document_of(model.asked[0])["candidates"]
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, films)
        stored = await training_sessions(connection, domain)
        order = await catalogue_order(connection, domain)
    titles = {film.id: film.title for film in load_films()}
    rows = EvidenceIndex(stored, order).of(IDS[:3], IDS[10:40])
    highest = {name: max(row[name] for row in rows) or 1 for name in EVIDENCE}
    expected = {
        titles[item]: {
            name: round(9 * math.log(1 + row[name]) / math.log(1 + highest[name]))
            for name in EVIDENCE
        }
        for item, row in zip(IDS[10:40], rows, strict=True)
    }
    assert any(sum(row.values()) > 9 for row in expected.values())
    for entry in shown:  # what the first stage expects is not counted, but learned
        assert entry["evidence"].pop(EXPECTED) in range(10)
    assert {entry["title"]: entry["evidence"] for entry in shown} == expected


def test_embeddings_depend_on_nothing_but_the_text(services: Services, tmp_path: Path) -> None:
    """An encoder that learnt from what it sees would differ from a fresh one."""
    services.embedder.encode(["Look for sequels.", "Casablanca. 1942"])
    seen = services.embedder.encode(["Alien. 1979"])
    fresh = Embedder(EmbeddingCache(tmp_path / "fresh.sqlite", ENCODER_ID))
    assert abs(fresh.encode(["Alien. 1979"]) - seen).max() < 1e-6
