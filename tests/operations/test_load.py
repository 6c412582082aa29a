"""Loading: all or nothing, and the second time nothing."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from fresh_databases import execute
from re2llm.cli import app
from re2llm.data.interactions import TableOptions
from re2llm.data.sample import sample_items
from re2llm.errors import DatabaseError, InputError
from re2llm.knowledge.domains import find_domain
from re2llm.operations.loading.load import load_domain
from re2llm.operations.loading.load_files import load_files
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text
from typer.testing import CliRunner

ITEMS = [Item(f"i{n}", f"Film {n}", {"year": 1990 + n, "genres": ["Drama"]}) for n in range(1, 8)]
SESSIONS = [
    Session(("i1", "i2"), "i3"),
    Session(("i1", "i2", "i1"), "i4"),
    Session(("i2",), "i3", ("i3", "i5")),
]

Load = Callable[..., Any]
Rows = Callable[[], dict[str, int]]


async def query(services: Services, sql: str, **values: object) -> list[Any]:
    async with services.engine.connect() as connection:
        return list((await connection.execute(text(sql), values)).all())


async def revision(services: Services, domain: str) -> int:
    async with services.engine.connect() as connection:
        return (await find_domain(connection, domain)).revision


async def popularity(services: Services, domain: str) -> dict[str, int]:
    found = await query(
        services,
        "SELECT i.id, i.popularity FROM re2llm.item i JOIN re2llm.domain d ON d.id = i.domain_id "
        "WHERE d.name = :name",
        name=domain,
    )
    return {row.id: row.popularity for row in found}


def write(path: Path, rows: Sequence[object]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


async def test_loading_again_changes_nothing(
    services: Services, load: Load, rows: Rows, domain: str
) -> None:
    first = await load(domain, ITEMS, SESSIONS)
    assert (first.items, first.items_changed) == (7, 7)
    assert (first.sessions, first.sessions_new) == (3, 3)
    before, at = rows(), await revision(services, domain)
    again = await load(domain, ITEMS, SESSIONS)
    assert (again.items, again.items_changed) == (7, 0)
    assert (again.sessions, again.sessions_new) == (3, 0)
    assert rows() == before
    assert await revision(services, domain) == at


async def test_a_changed_item_is_updated_and_embedded_anew(
    services: Services, load: Load, domain: str
) -> None:
    await load(domain, ITEMS, SESSIONS)
    at, counted = await revision(services, domain), await popularity(services, domain)
    changed = Item("i3", "Aliens", {"year": 1986})
    loaded = await load(domain, [*ITEMS[:2], changed, *ITEMS[3:]])
    assert (loaded.items, loaded.items_changed, loaded.sessions) == (7, 1, 3)
    assert await revision(services, domain) > at
    assert await popularity(services, domain) == counted
    (row,) = await query(
        services,
        "SELECT title, attributes, embedding::text FROM re2llm.item i "
        "JOIN re2llm.domain d ON d.id = i.domain_id WHERE d.name = :name AND i.id = 'i3'",
        name=domain,
    )
    assert (row.title, row.attributes) == ("Aliens", {"year": 1986})
    expected = services.embedder.encode([changed.text])[0]
    assert np.allclose(json.loads(row.embedding), expected, atol=1e-5)


async def test_a_session_counts_once_a_file_and_repeats_within_it_count(
    load: Load, domain: str
) -> None:
    one, other = SESSIONS[0], SESSIONS[1]
    assert (await load(domain, ITEMS, [one, one, other])).sessions_new == 3
    assert (await load(domain, ITEMS, [one, one, other])).sessions_new == 0
    assert (await load(domain, ITEMS, [other, one])).sessions_new == 0
    assert (await load(domain, ITEMS, [one, one, one])).sessions_new == 1
    assert (await load(domain, ITEMS, [], [one])).sessions == 4


async def test_sessions_that_differ_only_in_candidates_are_different(
    load: Load, domain: str
) -> None:
    plain, listed = Session(("i1",), "i2"), Session(("i1",), "i2", ("i2", "i3"))
    assert (await load(domain, ITEMS, [plain, listed])).sessions_new == 2


async def test_popularity_is_the_number_of_training_sessions_with_the_item(
    services: Services, domain: str, film_sessions: list[Session]
) -> None:
    await load_domain(services, domain, sample_items(), [lambda _: film_sessions])
    counted = Counter(
        item for session in film_sessions for item in {*session.history, session.target}
    )
    stored = await popularity(services, domain)
    assert stored == {item: counted[item] for item in stored}
    assert sum(stored.values()) > len(film_sessions)


async def test_domains_do_not_see_each_other(services: Services, load: Load, domain: str) -> None:
    await load(domain, ITEMS, SESSIONS)
    other = domain + "-other"
    await load(other, ITEMS, [SESSIONS[0]])
    assert await popularity(services, other) == {
        **dict.fromkeys(("i4", "i5", "i6", "i7"), 0),
        **dict.fromkeys(("i1", "i2", "i3"), 1),
    }
    assert (await popularity(services, domain))["i2"] == 3


@pytest.mark.long
@pytest.mark.parametrize("where", ["items", "sessions"])
async def test_a_load_that_breaks_off_leaves_nothing(
    services: Services, rows: Rows, domain: str, where: str
) -> None:
    many = [Item(f"i{n}", f"Film {n}") for n in range(600)]

    def breaking(rows: Sequence[Any], after: int) -> Iterator[Any]:
        yield from rows[:after]
        raise RuntimeError("killed")

    items = breaking(many, 520) if where == "items" else iter(many)
    before = rows()
    with pytest.raises(RuntimeError, match="killed"):
        await load_domain(services, domain, items, [lambda _: breaking(SESSIONS, 2)])
    assert rows() == before


async def test_a_load_that_breaks_off_leaves_the_former_state(
    services: Services, load: Load, rows: Rows, domain: str
) -> None:
    await load(domain, ITEMS, SESSIONS)
    before, counted = rows(), await popularity(services, domain)
    at = await revision(services, domain)

    def refuse() -> None:
        raise InputError("file:3", "is malformed.", "Fix it.")

    changed = [Item("i1", "Another title"), Item("new", "New")]
    with pytest.raises(InputError):
        await load_domain(
            services, domain, changed, [lambda _: [Session(("new",), "i1")]], verify=refuse
        )
    assert rows() == before
    assert await popularity(services, domain) == counted
    assert await revision(services, domain) == at


async def test_a_training_session_needs_a_target(load: Load, rows: Rows, domain: str) -> None:
    before = rows()
    with pytest.raises(InputError, match="target"):
        await load(domain, ITEMS, [Session(("i1",), None)])
    assert rows() == before


async def test_two_loads_at_once_both_succeed(load: Load, services: Services, domain: str) -> None:
    import asyncio

    both = await asyncio.gather(load(domain, ITEMS, SESSIONS), load(domain, ITEMS, SESSIONS))
    assert sorted(loaded.sessions_new for loaded in both) == [0, 3]
    assert {loaded.items for loaded in both} == {7}
    assert (await popularity(services, domain))["i2"] == 3


GOOD_ITEMS = [{"id": item.id, "title": item.title, **item.attributes} for item in ITEMS]
BAD_ROWS = {
    "no JSON": "{oops",
    "no id": {"title": "Nameless"},
    "an id twice": {"id": "i1", "title": "Again"},
    "no title": {"id": "i9", "title": " "},
}


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS.keys())
async def test_a_malformed_item_is_named_by_file_and_line_and_nothing_is_stored(
    services: Services, rows: Rows, tmp_path: Path, domain: str, bad: object
) -> None:
    file = write(tmp_path / "items.jsonl", [*GOOD_ITEMS[:3], bad, *GOOD_ITEMS[3:]])
    before = rows()
    with pytest.raises(InputError) as caught:
        await load_files(Context(), "jsonl", file, domain=domain)
    assert f"{file}:4" in str(caught.value)
    assert rows() == before


@pytest.mark.parametrize(
    "bad",
    [
        '{"history": ["i1"',
        {"history": []},
        {"history": ["i1"], "target": "unheard-of"},
        {"history": ["i1"]},
        {"history": ["i1"], "target": None, "candidates": ["i2", "i3"]},
    ],
)
async def test_a_malformed_session_is_named_by_file_and_line_and_nothing_is_stored(
    services: Services, rows: Rows, tmp_path: Path, domain: str, bad: object
) -> None:
    items = write(tmp_path / "items.jsonl", GOOD_ITEMS)
    sessions = write(tmp_path / "train.jsonl", [["i1", "i2"], bad, ["i2", "i3"]])
    before = rows()
    with pytest.raises(InputError) as caught:
        await load_files(Context(), "jsonl", items, domain=domain, sessions=[sessions])
    assert f"{sessions}:2" in str(caught.value)
    assert rows() == before


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("53100", "Its disk is full: make room there."),
        ("22P05", "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0;"),
    ],
)
async def test_items_that_the_server_does_not_take_end_a_load_with_an_error(
    url: str, services: Services, rows: Rows, tmp_path: Path, domain: str, state: str, told: str
) -> None:
    items = write(tmp_path / "items.jsonl", [{"id": 1, "title": "refused"}])
    before = rows()
    refuse = f"BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END"
    execute(
        url,
        f"CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $${refuse}$$",
        "CREATE TRIGGER refused BEFORE INSERT ON re2llm.item EXECUTE FUNCTION refused()",
    )
    try:
        with pytest.raises(DatabaseError) as caught:
            await load_files(Context(), "jsonl", items, domain=domain)
    finally:
        execute(url, "DROP FUNCTION refused() CASCADE")
    assert told in caught.value.remedy
    assert rows() == before


def test_malformed_rows_can_be_skipped_and_are_counted(
    services: Services, tmp_path: Path, domain: str
) -> None:
    items = write(tmp_path / "items.jsonl", [*GOOD_ITEMS, "{oops"])
    rows = [["i1", "i2"], {"history": []}, ["i2", "i3"], {"history": ["i1"], "target": None}]
    sessions = write(tmp_path / "train.jsonl", rows)
    command = ["load", "jsonl", str(items), "--domain", domain, "--sessions", str(sessions)]
    done = CliRunner().invoke(app, [*command, "--skip-malformed", "--json"])
    counts = json.loads(done.stdout)
    assert counts["items"] == len(GOOD_ITEMS)
    assert counts["training_sessions"] == 2
    assert counts["malformed_rows"] == 3
    assert f"{items}:8" in done.stderr
    assert f"{sessions}:2" in done.stderr
    assert f"{sessions}:4" in done.stderr


def test_items_alone_are_loaded_from_a_table_and_sessions_later(
    services: Services, tmp_path: Path, domain: str
) -> None:
    table = tmp_path / "catalogue.tsv"
    table.write_text("sku\tname\tcolour\n" + "".join(f"t{n}\tTea {n}\tgreen\n" for n in range(5)))
    sessions = write(tmp_path / "train.jsonl", [["t1", "t2"], ["t2", "t3"]])
    for option, path in (("--items", table), ("--sessions", sessions)):
        done = CliRunner().invoke(app, ["load", option, str(path), "--domain", domain, "--json"])
        assert done.exit_code == 0, done.stderr
        counts = json.loads(done.stdout)
        assert (counts["items"], counts["malformed_rows"]) == (5, 0)
    assert counts["training_sessions"] == 2


@pytest.mark.parametrize("spell", ["{}", "{}.0", "00{}"])
async def test_a_log_alone_renames_no_item_of_the_catalogue(
    services: Services, load: Load, tmp_path: Path, domain: str, spell: str
) -> None:
    teas = [Item(str(n), f"Tea {n}", {"colour": "green"}) for n in range(1, 7)]
    await load(domain, teas)
    log = tmp_path / "log.csv"
    bought = [(user, n) for user in "ab" for n in range(1, 5)]
    lines = [f"{user},{spell.format(n)},2024-01-0{n}" for user, n in bought]
    log.write_text("\n".join(["user,item,time", *lines, "b,new,2024-01-05"]) + "\n")
    table = TableOptions(by_user=True)
    loaded = await load_files(Context(), "table", log, domain=domain, table=table)
    assert (loaded.items, loaded.items_changed, loaded.sessions_new) == (7, 1, 2)
    sql = (
        "SELECT i.id, i.title, i.attributes FROM re2llm.item i "
        "JOIN re2llm.domain d ON d.id = i.domain_id WHERE d.name = :name ORDER BY i.id"
    )
    stored = [Item(*row) for row in await query(services, sql, name=domain)]
    assert stored == [*teas, Item("new", "new")]


async def test_a_log_names_items_that_were_called_by_their_ids(
    services: Services, load: Load, tmp_path: Path, domain: str
) -> None:
    own = [Item("1", "Sencha", {"kind": "green"}), Item("9", "Mate")]
    await load(domain, [*own, Item("2.0", "2.0"), Item("3", "3")])
    log = tmp_path / "log.csv"
    rows = [f"{user},{n},Tea {n}" for user in "ab" for n in (1, 2, 3, 4)]
    log.write_text("\n".join(["user,item,title", *rows]) + "\n")
    for changed in (3, 0):
        loaded = await load_files(Context(), "table", log, domain=domain)
        assert (loaded.items, loaded.items_changed, loaded.sessions) == (5, changed, 2)
    sql = (
        "SELECT i.id, i.title, i.attributes FROM re2llm.item i "
        "JOIN re2llm.domain d ON d.id = i.domain_id WHERE d.name = :name ORDER BY i.id"
    )
    assert [Item(*row) for row in await query(services, sql, name=domain)] == [
        *(own[0], Item("2.0", "Tea 2"), Item("3", "Tea 3"), Item("4", "Tea 4"), own[1]),
    ]


@pytest.mark.parametrize(("old", "said"), [("{}.0", True), ("00{}", True), ("{}", False)])
async def test_titles_for_items_that_are_there_under_another_id_are_noted(
    services: Services, load: Load, tmp_path: Path, domain: str, old: str, said: bool
) -> None:
    del services
    await load(domain, [Item(old.format(n), old.format(n)) for n in range(1, 5)])
    items = tmp_path / "items.csv"
    items.write_text("id,title\n" + "".join(f"{n},Tea {n}\n" for n in range(1, 5)))
    loaded = await load_files(Context(), "table", items, domain=domain)
    told = "4 items have a title under one spelling of the id and none under another"
    assert any(told in note for note in loaded.notes) is said
    assert loaded.items == (8 if said else 4)
    again = await load_files(Context(), "table", items, domain=domain)
    assert again.items_changed == 0


async def test_how_much_is_read_goes_to_the_callback(
    services: Services, tmp_path: Path, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "re2llm.operations.loading.load_files._TICK", 600
    )  # a slow machine ticks more
    told: list[tuple[str, int, int | None]] = []
    items = write(tmp_path / "items.jsonl", GOOD_ITEMS)
    sessions = write(tmp_path / "train.jsonl", [["i1", "i2"], ["i2", "i3"]])
    await load_files(
        Context(), "jsonl", items, domain=domain, sessions=[sessions],
        progress=lambda *step: told.append(step),
    )  # fmt: skip
    total = items.stat().st_size + sessions.stat().st_size
    read = [step for step in told if step[0] == f"loading {domain}"]
    assert {step[2] for step in read} == {total}
    assert [step[1] for step in read] == [items.stat().st_size, total]
    assert {step[0] for step in told} == {f"loading {domain}", "fitting the first stage"}


async def test_a_run_may_load_only_domains_that_it_may_know_of(
    services: Services, rows: Rows, tmp_path: Path, domain: str
) -> None:
    items = write(tmp_path / "items.jsonl", GOOD_ITEMS)
    before = rows()
    with pytest.raises(InputError, match="may not load"):
        await load_files(Context(domains=["another"]), "jsonl", items, domain=domain)
    assert rows() == before


async def test_odd_text_is_stored_as_it_is(services: Services, load: Load, domain: str) -> None:
    odd = Item("'; DROP TABLE x; --", 'ﬁn 🎬 %s :name \\ "', {"note: %": ["{}", "ü"]})
    await load(domain, [odd, ITEMS[0]])
    (row,) = await query(
        services,
        "SELECT i.id, title, attributes FROM re2llm.item i JOIN re2llm.domain d "
        "ON d.id = i.domain_id WHERE d.name = :name AND i.id <> 'i1'",
        name=domain,
    )
    assert (row.id, row.title, row.attributes) == (odd.id, odd.title, odd.attributes)


@pytest.mark.long
@pytest.mark.parametrize("by_user", [True, False])
async def test_a_longer_export_of_loaded_sessions_is_noted(
    services: Services, domain: str, tmp_path: Path, by_user: bool
) -> None:
    context = Context(domain=domain, services=services)
    whole = [(user, item) for user in "abc" for item in range(4 + ord(user) % 3)]
    more = [("a", 7), ("b", 8), ("d", 5), ("d", 0), ("d", 1), ("d", 2)]
    log = tmp_path / "log.csv"

    async def loaded(rows: Sequence[tuple[str, int]]) -> Any:
        lines = [f"{user},{item},{1_600_000_000 + n}" for n, (user, item) in enumerate(rows)]
        log.write_text("\n".join(["user,item,time", *lines]) + "\n")
        return await load_files(context, "table", log, table=TableOptions(by_user=by_user))

    def told(result: Any) -> list[str]:
        return [note for note in result.notes if "both count" in note]

    first = await loaded([*whole, ("x", 7), ("x", 8)])
    assert not told(first)
    again = await loaded([*whole, *more])
    assert again.sessions_new == 3
    (note,) = told(again)
    assert note.startswith("2 new sessions begin with all of a session from")
    assert not told(await loaded([*whole, *more]))
    lengths = [Session(tuple("123456"[:n]), "7") for n in range(3, 6)]
    assert not (await load_domain(services, domain, [], [lambda _: lengths])).notes


@pytest.mark.long
async def test_deleting_a_domain_takes_everything_of_it_along(
    url: str, load: Load, rows: Rows, domain: str
) -> None:
    before = rows()
    await load(domain, ITEMS, SESSIONS)
    assert rows() != before
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DELETE FROM re2llm.domain WHERE name = %s", [domain])
    assert rows() == before
