"""Columns that say what kind of event a row is: `load` tells that all kinds count."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from own_tables import START, loaded, table
from re2llm.data.event_kinds import takes_back
from re2llm.data.interactions import TableOptions
from re2llm.data.readers import open_reader
from re2llm.errors import InputError


def log_of_kinds(folder: Path, column: str, kinds: list[str]) -> Path:
    rows = [f"ann,{n},{kind},{START + n}" for n, kind in enumerate(kinds)]
    return table(folder / "log.csv", f"user,item,{column},time", *rows)


@pytest.mark.parametrize(
    ("column", "kinds", "listed"),
    [
        ("event", ["view", "addtocart", "view", "transaction"], "view (2), addtocart (1), "),
        ("event_type", ["click", "impression", "click", ""], "click (2), impression (1)."),
        ("Action Type", ["0", "2", "0", "0"], "0 (3), 2 (1)."),
        ("behavior", ["pv", "buy", "pv", "pv"], "pv (3), buy (1)."),
        ("type", ["clicks", "carts", "clicks", "orders"], "clicks (2), carts (1), orders (1)."),
        ("type", ["play", "play", "like", "pause"], "play (2), like (1), pause (1)."),
        ("type", ["view", "buy", "view", "view"], "view (3), buy (1)."),
        ("type", ["purchase", "gift", "gift", "gift"], "gift (3), purchase (1)."),
    ],
)
def test_kinds_of_events_are_told_with_their_rows(
    tmp_path: Path, column: str, kinds: list[str], listed: str
) -> None:
    _, (session,), report = loaded(log_of_kinds(tmp_path, column, kinds))
    assert len(session.history) == 3
    (told,) = (line for line in report.remarks if "choices" in line)
    assert f"{column} tells what each row is: {listed}" in told
    assert (report.malformed, report.warnings) == (0, 0)


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        ("event", ["purchase"] * 4),
        ("event", [f"concert {n}" for n in range(200)]),
        ("type", ["book", "film", "book", "game"]),
        ("type", ["Play", "Opera", "Play", "Ballet"]),
        ("type", ["buy", "rent", "buy", "rent"]),
        ("kind", ["Impression", "Etching", "Impression", "Etching"]),
        ("status", ["paid", "paid", "open", "paid"]),
        ("rating", ["1", "5", "0.5", "4"]),
        ("quantity", ["1", "", "2", "NA"]),
        ("label", ["Sony", "Fuji", "-", "Fuji"]),
        ("price", ["0", "-1", "0", "0"]),
    ],
)
def test_other_columns_are_not(tmp_path: Path, column: str, kinds: list[str]) -> None:
    _, _, report = loaded(log_of_kinds(tmp_path, column, kinds))
    assert not any("choices" in line for line in report.remarks)


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("rating", ["-1", "5", "0", "-1"], "rating is 0 or less in 3 rows: -1 (2), 0 (1)."),
        ("Book-Rating", ["0", "5", "3", "3"], "Book-Rating is 0 or less in 1 row: 0 (1)."),
        ("Quantity", ["6", "-1", "1", "2"], "Quantity is 0 or less in 1 row: -1 (1)."),
        ("is_click", ["0", "1", "0.0", "1"], "is_click is 0 or less in 2 rows: 0 (1), 0.0 (1)."),
        ("liked", ["False", "True", "True", "True"], "liked is 0 or less in 1 row: False (1)."),
        ("rating", [f"-{n}.5" for n in range(99)], "rating is 0 or less in 99 rows: "),
    ],
)
def test_ratings_and_numbers_of_nothing_are_told(
    tmp_path: Path, column: str, values: list[str], told: str
) -> None:
    _, _, report = loaded(log_of_kinds(tmp_path, column, values))
    assert sum(told in line and "count as choices" in line for line in report.remarks) == 1


@pytest.mark.parametrize("places", [0, 2])
def test_decimals_of_parquet_are_numbers_too(tmp_path: Path, places: int) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    numbers = [Decimal(n).quantize(Decimal(10) ** -places) for n in (-1, 5, 0, 4)]
    log = tmp_path / "log.parquet"
    titles = [Decimal(1984 + n) for n in range(4)]
    columns = {
        "user": ["ann"] * 4,
        "item": [str(n) for n in range(4)],
        "rating": arrow.array(numbers, arrow.decimal128(8, places)),
        "time": [START + n for n in range(4)],
    }
    parquet.write_table(arrow.table(columns), log)
    items = tmp_path / "items.parquet"
    parquet.write_table(arrow.table({"id": columns["item"], "title": titles}), items)
    found, _, report = loaded(log, items=items)
    assert any("rating is 0 or less in 2 rows: " in line for line in report.remarks)
    assert [item.title for item in found] == ["1984", "1985", "1986", "1987"]
    assert report.malformed == 0


def test_events_that_take_an_item_back_are_warned_of(tmp_path: Path) -> None:
    kinds = ["view", "remove_from_cart", "unlike", "remove_from_cart"]
    _, _, report = loaded(log_of_kinds(tmp_path, "event_type", kinds))
    assert report.warnings == 2
    assert [(note.line, note.rows) for note in report.first_warnings] == [(3, 2), (4, 1)]
    assert [note.reason for note in report.first_warnings] == [
        f"event_type {kind!r} seems to take the item back, but counts as a choice"
        for kind in ("remove_from_cart", "unlike")
    ]


def test_rows_of_json_are_looked_at_and_malformed_ones_are_not(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    values = [("like", True), ("refund", False), (["x"], None), (None, 0)]
    rows = [
        {"user": "ann", "item": n, "status": kind, "liked": liked, "time": START + n}
        for n, (kind, liked) in enumerate(values)
    ]
    rows.append({"user": None, "item": 9, "status": "returned", "liked": False, "time": START})
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, _, report = loaded(log)
    told = [line for line in report.remarks if "choices" in line]
    assert "status tells what each row is: like (1), refund (1)." in told[0]
    assert "liked is 0 or less in 2 rows: False (1), 0 (1)." in told[1]
    assert report.warnings == 1


@pytest.mark.parametrize(
    "kind",
    [
        *("unlike", "Dislike", "remove_from_cart", "removefromcart", "removeFromCart"),
        *("REMOVE_FROM_CART", "Product Removed", "Order Refunded", "refund", "return", "skip"),
        *("Order Cancelled", "thumbs_down", "not interested", "item-returned", "unfollow"),
    ],
)
def test_what_takes_back_is_known_by_its_name(kind: str) -> None:
    assert takes_back(kind)


@pytest.mark.parametrize(
    "kind",
    ["view", "like", "add_to_cart", "Product Viewed", "unit", "union", "0", "removal van"],
)
def test_what_does_not_is_not(kind: str) -> None:
    assert not takes_back(kind)


# Only some kinds


@pytest.mark.parametrize("end", ["csv", "jsonl"])
def test_only_rows_of_the_kinds_that_are_named_count(tmp_path: Path, end: str) -> None:
    kinds = ["view", "Purchase", "unlike", "view", " purchase", "view", ""]
    log = log_of_kinds(tmp_path, "event_type", kinds)
    lost = "ann,9,unlike,yesterday"  # nobody needs its time
    if end == "csv":
        log.write_text(f"{log.read_text()}{lost}\n")
    else:
        log = tmp_path / "log.jsonl"
        rows = [
            {"user": "ann", "item": n, "event_type": kind or None, "time": START + n}
            for n, kind in enumerate(kinds)
        ]
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, (session,), report = loaded(log, events=("purchase", "view", "order"))
    assert [item.id for item in found] == ["0", "1", "3", "4", "5"]
    assert [*session.history, session.target] == ["0", "1", "3", "4", "5"]
    assert (report.malformed, report.warnings) == (0, 0)
    rows = 3 if end == "csv" else 2
    assert [line.partition(": ")[2] for line in report.remarks[1:]] == [
        f"by event_type, {rows} rows of other events left out.",
        "no row has the event 'order'.",
    ]


def test_the_column_to_filter_is_the_surest(tmp_path: Path) -> None:
    rows = [f"ann,{n},{kind},view,{START + n}" for n, kind in enumerate(["view", "buy"] * 4)]
    log = table(tmp_path / "log.csv", "user,item,action,type,time", *rows)
    assert len(loaded(log, events=("buy",))[0]) == 4
    told = [line for line in loaded(log)[2].remarks if "choices" in line]
    assert len(told) == 1
    assert "action tells what each row is: view (4), buy (4)." in told[0]
    assert told[0].endswith("to take some alone, name them as `events`.")


def test_events_need_a_column_and_a_log(tmp_path: Path) -> None:
    log = log_of_kinds(tmp_path, "sort", ["view"] * 4)
    with pytest.raises(InputError, match="usual name for kinds of events") as caught:
        loaded(log, events=("view",))
    assert caught.value.field == "events"
    items = table(tmp_path / "items.csv", "id,title", "1,Tea")
    for path, options in ((None, {"items": items}), (items, {"id": "id"})):
        with pytest.raises(InputError):
            open_reader("table", path, TableOptions(events=("view",), **options))


def test_a_column_of_titles_holds_no_kinds(tmp_path: Path) -> None:
    log = log_of_kinds(tmp_path, "activity", ["Skip the Line", "Yoga", "Return Home", "Run"])
    _, _, report = loaded(log, title="activity")
    assert report.warnings == 0
    assert not any("choices" in line for line in report.remarks)


def test_beside_the_filter_no_other_column_is_named_as_events(tmp_path: Path) -> None:
    rows = [f"ann,{n},view,{kind},{START + n}" for n, kind in enumerate(["a", "b", "a", "b"])]
    log = table(tmp_path / "log.csv", "user,item,event,action,time", *rows)
    _, _, report = loaded(log, events=("view",))
    (told,) = (line for line in report.remarks if "choices" in line)
    assert "action tells what each row is" in told
    assert "`events`" not in told


def test_kinds_that_parquet_cannot_show_make_no_row_malformed(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "user": ["ann"] * 4,
        "item": list("abcd"),
        "time": [START + n for n in range(4)],
        "state": arrow.array([10**15, 0, 1, 2], arrow.timestamp("ms")),
    }
    log = tmp_path / "log.parquet"
    parquet.write_table(arrow.table(columns), log)
    found, (session,), report = loaded(log)
    assert len(found) == 4
    assert session.target == "d"
    assert report.malformed == 0
