"""Catalogues of 5 to 60 items, on the command line from an empty folder: no step is a dead end."""

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from re2llm.cli import app
from re2llm.errors import InputError
from re2llm.operations.evaluation.held_out import with_candidates
from re2llm.rank_metrics import hit_ranks
from re2llm.ranking.hints.panels import sessions_to_learn
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services
from sqlalchemy import text
from typer.testing import CliRunner

PAGE = Path(__file__).parents[2] / "docs" / "your-data.md"
NAMES = [
    "Lantern",
    "Harbour",
    "Orchard",
    "Meridian",
    "Thistle",
    "Compass",
    "Ember",
    "Quarry",
    "Sparrow",
    "Willow",
    "Anchor",
    "Bramble",
    "Cipher",
    "Drift",
    "Eclipse",
    "Fable",
    "Gable",
    "Hollow",
    "Island",
    "Juniper",
    "Kestrel",
    "Lagoon",
    "Marble",
    "Nettle",
    "Oriel",
    "Parlour",
    "Quiver",
    "Raven",
    "Sable",
    "Tundra",
]
GENRES = ["mystery", "romance", "history"]
AUTHORS = ["Ada Quill", "Ben Marsh", "Cleo Vane", "Dov Harrow", "Ena Frost"]


def command(*words: object, fails: bool = False) -> str:
    """Run a command as a person would, and return all that it prints."""
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == (1 if fails else 0), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def books(folder: Path, sessions: int) -> Path:
    """Write 30 books, and sessions of readers who go on with one of the oldest books."""
    draw = random.Random(1)
    items = [
        {
            "id": number,
            "title": f"The {name}",
            "genre": draw.choice(GENRES),
            "author": draw.choice(AUTHORS),
            "year": draw.randrange(1980, 2020),
        }
        for number, name in enumerate(NAMES, start=1)
    ]
    write(folder / "items.jsonl", items)
    read: list[object] = []
    for _ in range(sessions):
        history = draw.sample(items, 3)
        others = sorted(
            (book for book in items if book not in history), key=lambda book: book["year"]
        )
        read.append(
            {"history": [b["id"] for b in history], "target": draw.choice(others[:3])["id"]}
        )
    write(folder / "sessions.jsonl", read[:40])
    return write(folder / "test.jsonl", read[40:])


@pytest.mark.long
def test_the_tea_shop_of_the_documentation(tmp_path: Path, domain: str) -> None:
    for name, content in re.findall(r"(?s)cat > (\S+) <<'END'\n(.*?)END\n", PAGE.read_text()):
        (tmp_path / name).write_text(content)
    loaded = command("load", "jsonl", tmp_path, "--domain", domain)
    assert "5 items (5 new or changed), 3 training sessions (3 new)" in loaded
    assert "Training sessions are few: 3." in loaded
    assert "about 100 sessions. Load more: re2llm load … --sessions FILE." in loaded
    assert "1. " in command("recommend", "--domain", domain, "Sencha", "-k", 2)
    learned = command("learn", "--domain", domain)
    assert "3 sessions, 1 missed" in learned
    assert "few pass below about 100 sessions. Load more" in learned
    trained = command("train", "--domain", domain, fails=True)
    assert "0 active hints and 3 training sessions" in trained
    assert "about 100 are enough" in trained
    sessions = tmp_path / "sessions.jsonl"
    evaluated = command("evaluate", "--domain", domain, "--sessions", sessions)
    assert "Some sessions have only 3 candidates" in evaluated
    assert "popularity" in evaluated
    assert "has no hints yet" in command("hints", "list", "--domain", domain)


@pytest.mark.slow
def test_thirty_books_and_forty_sessions(tmp_path: Path, domain: str) -> None:
    test = books(tmp_path, 60)
    loaded = command("load", "jsonl", tmp_path, "--domain", domain, "--any-order")
    assert "30 items (30 new or changed), 40 training sessions (40 new)" in loaded
    learned = command("learn", "--domain", domain, "--max-hints", 1)
    assert "1 stored" in learned
    assert "Training sessions are few" not in learned
    trained = command("train", "--domain", domain)
    assert "Release" in trained
    figures = tmp_path / "figures.json"
    command(
        *("evaluate", "--domain", domain, "--sessions", test, "--policies", "none,static,ppo"),
        *("--baselines", "random", "--json", figures),
    )
    rows = {row["name"]: row for row in json.loads(figures.read_text())["rows"]}
    assert rows["static"]["ndcg@10"] > rows["none"]["ndcg@10"]
    assert rows["ppo"]["ndcg@10"] > rows["none"]["ndcg@10"]


@pytest.mark.long
def test_a_catalogue_without_sessions_says_what_to_do(tmp_path: Path, domain: str) -> None:
    write(tmp_path / "items.jsonl", [{"id": n, "title": f"Tea {n}"} for n in range(5)])
    loaded = command("load", "jsonl", tmp_path, "--domain", domain)
    assert "There are no training sessions" in loaded
    for step in ("learn", "train"):
        assert "Load" in command(step, "--domain", domain, fails=True)
    assert "1. " in command("recommend", "--domain", domain, "Tea 1")
    sessions = write(tmp_path / "test.jsonl", [{"history": [1], "target": 2}])
    evaluate = ("evaluate", "--domain", domain, "--sessions", sessions)
    assert "leave --baselines empty" in command(*evaluate, fails=True)
    assert "none" in command(*evaluate, "--baselines", "")


def test_sessions_that_hold_the_whole_catalogue_are_left_out(tmp_path: Path, domain: str) -> None:
    write(tmp_path / "items.jsonl", [{"id": n, "title": f"Tea {n}"} for n in range(3)])
    whole = {"history": [0, 1], "target": 2}
    sessions = write(tmp_path / "sessions.jsonl", [{"history": [0], "target": 1}, whole])
    loaded = command("load", "jsonl", tmp_path, "--domain", domain)
    assert "1 training session (1 new)" in loaded
    assert "1 session was left out: with every item" in loaded
    refused = command("evaluate", "--domain", domain, "--sessions", sessions, fails=True)
    assert "there is none to rank its target against. Load more items" in refused
    assert refused.startswith(f"error: {sessions}:2: holds all 3 items of the catalogue")
    figures = tmp_path / "figures.json"
    command(
        *("evaluate", "--domain", domain, "--sessions", sessions, "--skip-malformed"),
        *("--policies", "", "--baselines", "random", "--json", figures),
    )
    assert json.loads(figures.read_text())["n"] == 1
    told = {**whole, "candidates": [0, 2]}
    write(sessions, [{"history": [0], "target": 1}, told])
    assert "random" in command("evaluate", "--domain", domain, "--sessions", sessions)


def test_a_session_with_the_whole_catalogue_is_named_by_its_number() -> None:
    sessions = [Session(("a",), "b"), Session(("a", "c"), "b")]
    with pytest.raises(InputError, match="Session 2 holds all 3 items") as error:
        with_candidates(sessions, "abc", 49, 0)
    assert error.value.field == "sessions"


def test_few_different_sessions_are_remarked_on(tmp_path: Path, domain: str) -> None:
    test = books(tmp_path, 75)
    command("load", "jsonl", tmp_path, "--domain", domain)
    rows = [json.loads(line) for line in test.read_text().splitlines()]
    evaluate = ("evaluate", "--domain", domain, "--policies", "", "--baselines", "random")

    def evaluated(name: str, given: Sequence[object]) -> str:
        return command(*evaluate, "--sessions", write(tmp_path / name, given))

    assert "intervals" not in evaluated("all.jsonl", rows)
    shown = evaluated("few.jsonl", rows[:29])
    assert "29 different sessions are too few for 95 % intervals" in shown
    shown = evaluated("one.jsonl", rows[:1])
    assert "1 different session is too few" in shown
    assert "?, ?" in shown
    shown = evaluated("copies.jsonl", [*rows, *rows[:5]])
    assert "5 of the 40 sessions are copies or beginnings of others" in shown
    assert "they count 35 different sessions" in shown


@pytest.mark.parametrize(("negatives", "most"), [(1, 2), (5, 6), (49, 28)])
def test_negatives_are_as_many_as_asked_for_or_as_there_are(
    tmp_path: Path, domain: str, negatives: int, most: int
) -> None:
    test = books(tmp_path, 44)
    command("load", "jsonl", tmp_path, "--domain", domain)
    figures = tmp_path / "figures.json"
    shown = command(
        *("evaluate", "--domain", domain, "--sessions", test, "--policies", "", "--json", figures),
        *("--baselines", "random", "--negatives", negatives),
    )
    assert (f"only {most} candidates" in shown) == (most <= 20)
    assert json.loads(figures.read_text())["n"] == 4


@pytest.mark.parametrize(
    ("candidates", "hits"),
    [(2, 1), (5, 1), (6, 2), (10, 2), (11, 3), (20, 4), (27, 6), (46, 10), (50, 10), (1000, 10)],
)
def test_a_miss_depends_on_the_number_of_candidates(candidates: int, hits: int) -> None:
    assert hit_ranks(candidates) == hits


@pytest.mark.parametrize(
    ("listed", "rank", "left"),
    [(6, 2, False), (6, 3, True), (20, 4, False), (20, 5, True), (None, 4, False), (None, 5, True)],
)
async def test_a_session_is_settled_by_its_own_number_of_candidates(
    services: Services,
    load: Callable[..., Any],
    domain: str,
    listed: int | None,
    rank: int,
    left: bool,
) -> None:
    items = [Item(f"i{n}", f"Tea {n}") for n in range(22)]
    candidates = None if listed is None else tuple(item.id for item in items[2 : 2 + listed])
    await load(domain, items, [Session(("i0", "i1", "i0"), "i3", candidates)])
    options = await resolve_context(Context(domain=domain))
    async with services.engine.begin() as connection:
        found = text("SELECT id FROM re2llm.domain WHERE name = :name")
        domain_id = await connection.scalar(found, {"name": domain})
        if listed is None:  # as those that were observed
            drop = text("UPDATE re2llm.session SET candidates = NULL WHERE domain_id = :domain")
            await connection.execute(drop, {"domain": domain_id})
        which = text("SELECT id FROM re2llm.session WHERE domain_id = :domain")
        key = await connection.scalar(which, {"domain": domain_id})
        await connection.execute(
            text(
                "INSERT INTO re2llm.hint_trial (session_id, hint_key, model, prompt_version,"
                " domain_id, rank, ndcg, answer, flags, tokens)"
                " VALUES (:key, :hint, :model, :version, :domain, :rank, 0, '', '{}', '{}')"
            ),
            {
                "key": key,
                "hint": b"",
                "model": options.model,
                "version": options.prompt_version,
                "domain": domain_id,
                "rank": rank,
            },
        )
        unsettled = await sessions_to_learn(connection, domain_id, [key], options)
    assert unsettled == ([key] if left else [])
