"""A user's own tables: CSV of any delimiter, Parquet and JSON Lines, with their own columns."""

import gzip
import importlib
import json
from array import array
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from re2llm.data import day_sessions
from re2llm.data.interactions import TableOptions, TableReader
from re2llm.data.malformed import ReadReport, RowError
from re2llm.data.readers import open_reader
from re2llm.data.request_rows import read_requests
from re2llm.data.table_rows import read_rows
from re2llm.data.tables import rating_value
from re2llm.data.titles import clean_title
from re2llm.errors import InputError
from re2llm.records import Item, Session

START = 1_600_000_000
CHOSEN = [("ann", "t1"), ("ann", "t2"), ("bob", "t4"), ("ann", "t3"), ("ann", "t4")]
ITEMS = [
    {"item_id": "t1", "title": "Sencha", "kind": "green|loose", "year": 1990},
    {"item_id": "t2", "title": 'Assam "Gold", extra', "kind": "", "year": ""},
    {"item_id": "t3", "title": "Line\nbreak", "kind": "black", "year": 2001.5},
    {"item_id": "t4", "title": "Mate", "kind": "herbal", "year": "007"},
]
EXPECTED = [
    Item("t1", "Sencha", {"kind": ["green", "loose"], "year": 1990}),
    Item("t2", 'Assam "Gold", extra'),
    Item("t3", "Line break", {"kind": "black", "year": 2001.5}),
    Item("t4", "Mate", {"kind": "herbal", "year": "007"}),
]
SESSION = Session(("t1", "t2", "t3"), "t4")


def rows(names: tuple[str, str, str] = ("user_id", "item_id", "timestamp")) -> list[dict[str, Any]]:
    return [
        dict(zip(names, (user, item, START + place), strict=True))
        for place, (user, item) in enumerate(CHOSEN)
    ]


def cell(value: object, delimiter: str) -> str:
    text = str(value)
    quoted = any(mark in text for mark in (delimiter, '"', "\n"))
    return '"' + text.replace('"', '""') + '"' if quoted else text


def csv(path: Path, table: list[dict[str, Any]], delimiter: str = ",", end: str = "\n") -> Path:
    lines = [list(table[0]), *(row.values() for row in table)]
    text = "".join(delimiter.join(cell(v, delimiter) for v in line) + end for line in lines)
    content = text.encode("utf-8-sig")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def parquet(path: Path, table: list[dict[str, Any]]) -> Path:
    arrow = pytest.importorskip("pyarrow")
    writer = importlib.import_module("pyarrow.parquet")
    writer.write_table(arrow.Table.from_pylist(table), path, row_group_size=2)
    return path


def jsonl(path: Path, table: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in table))
    return path


def comma(folder: Path) -> tuple[Path, Path]:
    return csv(folder / "log.csv", rows()), csv(folder / "items.csv", ITEMS)


def packed(folder: Path) -> tuple[Path, Path]:
    return csv(folder / "log.csv.gz", rows()), csv(folder / "items.csv.gz", ITEMS)


def semicolon(folder: Path) -> tuple[Path, Path]:
    written = rows(("UserID", "Product ID", "Event time"))
    return csv(folder / "log.csv", written, ";", "\r\n"), csv(folder / "items.csv", ITEMS, ";")


def tab(folder: Path) -> tuple[Path, Path]:
    written = rows(("customer", "sku", "date"))
    return csv(folder / "log.tsv", written, "\t"), csv(folder / "items.tsv", ITEMS, "\t")


def arrow(folder: Path) -> tuple[Path, Path]:
    typed = [{**row, "year": None, "kind": row["kind"] or None} for row in ITEMS]
    for row, year in zip(typed, (1990, None, 2001.5, None), strict=True):
        row["year"] = year
    return parquet(folder / "log.parquet", rows()), parquet(folder / "items.parquet", typed)


def lines(folder: Path) -> tuple[Path, Path]:
    return jsonl(folder / "log.jsonl", rows()), jsonl(folder / "items.jsonl", ITEMS)


@pytest.mark.parametrize("write", [comma, packed, semicolon, tab, arrow, lines])
def test_tables_of_any_kind_give_items_and_sessions(tmp_path: Path, write) -> None:
    log, items = write(tmp_path)
    reader, report = TableReader(log, TableOptions(items=items)), ReadReport()
    found = list(reader.items(report))
    assert [(item.id, item.title) for item in found] == [(i.id, i.title) for i in EXPECTED]
    if write is not arrow:  # its types leave no text in a column of numbers
        assert found == EXPECTED
    assert list(reader.sessions(report, {item.id for item in found})) == [SESSION]
    assert (report.malformed, report.warnings) == (0, 0)
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    told, short = report.remarks
    assert "1 day on which" in short
    assert "user = " in told
    assert "title = title, and all other columns are attributes" in told


def test_parquet_types_become_attributes(tmp_path: Path) -> None:
    log = parquet(tmp_path / "log.parquet", rows())
    row = {"item_id": 7, "name": "T", "tags": ["a", "b"], "box": {"size": 2.5}, "gone": None}
    items = parquet(tmp_path / "items.parquet", [row])
    (found,) = TableReader(log, TableOptions(items=items)).items(ReadReport())
    assert found == Item("7", "T", {"tags": ["a", "b"], "box.size": 2.5})


def test_ids_with_a_point_are_those_of_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,title\n1,Tin\n2,Zinc\n3.0,Lead\n")
    (tmp_path / "log.csv").write_text("user,item\n7,1.0\n7,2.0\n7,3.0\n")
    reader = TableReader(tmp_path / "log.csv", TableOptions(items=tmp_path / "items.csv"))
    report = ReadReport()
    known = {item.id for item in reader.items(report)}
    (session,) = reader.sessions(report, known)
    assert [*session.history, session.target] == ["1", "2", "3.0"]


def test_columns_that_the_user_names_win(tmp_path: Path) -> None:
    table = [
        {"user_id": "x", "who": u, "what": i, "when": START + n, "id": 1}
        for n, (u, i) in enumerate(CHOSEN)
    ]
    log = csv(tmp_path / "log.csv", table)
    items = csv(tmp_path / "items.csv", [{"key": i["item_id"], "label": "T"} for i in ITEMS])
    options = TableOptions(
        items=items, user="who", item="what", time="when", id="key", title="label"
    )
    reader, report = TableReader(log, options), ReadReport()
    assert [item.title for item in reader.items(report)] == ["T"] * 4
    assert list(reader.sessions(report)) == [SESSION]


@pytest.mark.parametrize(
    ("names", "options", "problem"),
    [
        (("a", "item_id", "time"), {}, r"^user: No column .* Its columns are a, item_id, time"),
        (("user", "b", "time"), {}, r"^item: No column .* Name one as `item`\."),
        (("user", "item", "c"), {"time": "when"}, r"^time: .* has no column 'when'"),
        (("user", "item", "c"), {"user": "User"}, r"^user: .* has no column 'User'"),
        (("user", "user", "c"), {}, r"no two alike|^item: "),
    ],
)
def test_columns_that_are_not_there_are_named(tmp_path: Path, names, options, problem) -> None:
    path = tmp_path / "log.csv"
    path.write_text(",".join(names) + "\n1,2,3\n")
    with pytest.raises(InputError, match=problem):
        TableReader(path, TableOptions(**options))


BOOKS = [{"sku": "b1", "label": "Emma", "by": "Austen"}, {"sku": "b2", "label": "1984", "by": ""}]
READ_BOOKS = [Item("b1", "Emma", {"by": "Austen"}), Item("b2", "1984")]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("write", "name", "marked"),
    [(csv, "a.csv", ","), (csv, "a.tsv.gz", "\t"), (parquet, "a.parquet", ""), (jsonl, "a", "")],
)
def test_a_table_may_hold_items_alone(tmp_path: Path, write, name, marked, beside) -> None:
    usual = [{"id": row["sku"], "title": row["label"], "by": row["by"]} for row in BOOKS]
    extra = (marked,) if marked else ()
    for table, named in ((usual, {}), (BOOKS, {"id": "sku", "title": "label"})):
        file = write(tmp_path / name, table, *extra)
        options = TableOptions(items=file if beside else None, **named)
        reader, report = open_reader("table", None if beside else file, options), ReadReport()
        assert list(reader.items(report)) == READ_BOOKS
        assert list(reader.sessions(report)) == []
        assert report.bytes_read == reader.item_bytes
        assert report.malformed == 0
        assert "so there are no sessions" in report.remarks[0]


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (("sku", "label"), {}, r"^user: .* For items alone, name the column of the `title`\."),
        (("sku", "label"), {"id": "sku"}, r"^title: No column .* Its columns are sku, label\.$"),
        (("ref", "title"), {}, r"^id: No column .* Name one as `id`\."),
        (("id", "title"), {"title": "name"}, r"^title: .* has no column 'name'"),
        (("id", "title"), {"user": "who"}, r"^user: .* has no column 'who'"),
    ],
)
def test_what_a_table_of_items_lacks_is_named(tmp_path: Path, names, options, said) -> None:
    file = tmp_path / "books.csv"
    file.write_text(",".join(names) + "\n1,Emma\n")
    with pytest.raises(InputError, match=said):
        open_reader("table", file, TableOptions(**options))


def test_a_table_with_an_item_twice_says_who_chose_it(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("shopper,product_id,title\nu1,1,Emma\nu1,2,1984\nu2,1,Emma\n")
    with pytest.raises(InputError, match=r"^user: No column .* Name one as `user`\."):
        open_reader("table", file)
    reader = open_reader("table", file, TableOptions(user="shopper"))
    assert len(list(reader.sessions(ReadReport()))) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "^path: It is missing"), ({"items": "here", "user": "who"}, "table of interactions")],
)
def test_a_table_that_is_not_named_is_an_error(tmp_path: Path, options, said) -> None:
    file = csv(tmp_path / "items.csv", ITEMS)
    given = {name: file if name == "items" else value for name, value in options.items()}
    with pytest.raises(InputError, match=said):
        open_reader("table", None, TableOptions(**given))


def test_interactions_with_titles_are_no_items(tmp_path: Path) -> None:
    table = [row | {"title": "Tea"} for row in rows()]
    assert list(open_reader("table", csv(tmp_path / "a.csv", table)).sessions(ReadReport()))


def test_without_items_they_are_called_by_their_ids(tmp_path: Path) -> None:
    reader, report = TableReader(csv(tmp_path / "log.csv", rows())), ReadReport()
    assert list(reader.items(report)) == [Item(key, key) for key in ("t1", "t2", "t4", "t3")]
    assert list(reader.sessions(report)) == [SESSION]
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    assert "items are called by their ids" in report.remarks[0]


def test_without_a_time_a_user_is_a_session_in_the_order_of_the_file(tmp_path: Path) -> None:
    table = [{"user": u, "item": i} for u, i in CHOSEN]
    reader, report = TableReader(csv(tmp_path / "log.csv", table)), ReadReport()
    list(reader.items(report))
    assert list(reader.sessions(report)) == [SESSION]
    assert "the order of the rows counts" in report.remarks[0]


@pytest.mark.parametrize(
    ("header", "named"),
    [("bought_at,price", "one of bought_at, price"), ("bought_at", "bought_at")],
)
def test_columns_that_may_be_the_time_are_named(tmp_path: Path, header: str, named: str) -> None:
    file = tmp_path / "log.csv"
    file.write_text(f"user,item,{header}\n1,a,2026-03-01{',2' * header.count(',')}\n")
    report = ReadReport()
    list(open_reader("table", file).items(report))
    assert f"(if {named} is the time, name it as `time`)" in report.remarks[0]


@pytest.mark.parametrize(("form", "day"), [("{}/01/2024 10:0{}", 13), ("1/{}/2024 10:0{}", 31)])
def test_dates_are_read_in_the_order_of_their_column(tmp_path: Path, form: str, day: int) -> None:
    dates = [form.format(2, place) for place in range(4)] + [form.format(day, 9)]
    log = csv(
        tmp_path / "log.csv",
        [{"user": "ann", "item": f"t{n}", "date": date} for n, date in enumerate(dates, 1)],
    )
    (session,) = TableReader(log).sessions(ReadReport())
    assert session == Session(("t1", "t2", "t3"), "t4")


def test_dates_in_no_clear_order_are_refused(tmp_path: Path) -> None:
    log = csv(tmp_path / "log.csv", [{"user": "ann", "item": "t1", "date": "03/04/2024"}])
    with pytest.raises(InputError, match="no row tells the day from the month"):
        list(TableReader(log).sessions(ReadReport()))


MOMENTS = {
    "float": lambda n: START + n * 0.15,
    "milliseconds": lambda n: START * 1000 + n * 150,
    "nanoseconds": lambda n: START * 10**9 + n * 1000,
    "ISO": lambda n: f"2024-01-31T10:00:00.{n * 150:03}Z",
    "year last": lambda n: f"31/01/2024 10:00:00.{n * 150:03}",
    "type": lambda n: datetime(2024, 1, 31, 10, 0, 0, n * 150, UTC),
    "day": lambda _: "2024-01-31",
    "seconds of two": lambda n: START + n // 2,
}


@pytest.mark.parametrize("by_user", [False, True])
@pytest.mark.parametrize("write", [csv, parquet, jsonl])
@pytest.mark.parametrize("kind", MOMENTS)
def test_a_log_says_the_same_upside_down(tmp_path: Path, kind: str, write, by_user: bool) -> None:
    """As a newest-first log is written: parts of a second count, and of equal times the order."""
    if kind == "type" and write is jsonl:
        pytest.skip("JSON has no times")
    table = [
        {"user": user, "item": item, "time": MOMENTS[kind](place)}
        for place, item in enumerate("abcde")
        for user in ("ann", "bob")
    ]
    before = START - 86_400 if isinstance(table[0]["time"], int | float) else "30/01/2024"
    if kind == "nanoseconds":
        before = (START - 86_400) * 10**9
    elif kind == "milliseconds":
        before = (START - 86_400) * 10**3
    elif kind in {"ISO", "day"}:
        before = "2024-01-30"
    elif kind == "type":
        before = datetime(2024, 1, 30, tzinfo=UTC)
    table = [{"user": "cid", "item": "z", "time": before}, *table]
    for log in (table, table[::-1]):
        read = TableReader(write(tmp_path / "log", log), TableOptions(by_user=by_user))
        found = list(read.sessions(ReadReport()))
        assert found == [Session(tuple("abcd"), "e")] * 2


@pytest.mark.parametrize(("short", "said"), [(0, ""), (1, "1 day on"), (3, "3 days on")])
def test_days_that_are_too_short_for_a_session_are_counted(
    tmp_path: Path, short: int, said: str
) -> None:
    days = [(0, "abcd"), *((n, "abc") for n in range(1, short + 1))]
    table = [
        {"user": "ann", "item": item, "time": START + 86_400 * day}
        for day, of in days
        for item in of
    ]
    log, report = csv(tmp_path / "log.csv", table), ReadReport()
    assert len(list(TableReader(log).sessions(report))) == 1
    assert [line.partition(" which")[0] for line in report.remarks] == ([said] if said else [])
    assert not said or "fewer than 4 interactions" in report.remarks[0]
    report = ReadReport()
    assert list(TableReader(log, TableOptions(by_user=True)).sessions(report))
    assert not report.remarks


def test_a_log_in_no_order_keeps_that_of_equal_times(tmp_path: Path) -> None:
    times = [3, 3, 1, 2, 9, 9, 8, 9]
    log = csv(
        tmp_path / "log.csv",
        [
            {"user": "ann", "item": i, "time": START + t}
            for i, t in zip("abcdefgh", times, strict=True)
        ],
    )
    (found,) = TableReader(log).sessions(ReadReport())
    assert "".join((*found.history, found.target)) == "cdabgefh"


SINCE_1601 = 11_644_473_600
SINCE_2001 = 978_307_200


@pytest.mark.parametrize(
    ("first", "step", "day"),
    [
        (44_000, 1, "1970-01-01"),  # days of Excel
        (2_460_341, 1, "1970-01-29"),  # Julian days
        (638_423_211_000_000_000, 10**7, "1990-03-26"),  # ticks of .NET
        ((START + SINCE_1601) * 10**7, 10**7, "1974-03-13"),  # Windows
        ((START + SINCE_1601) * 10**6, 10**6, "2389-09-13"),  # Chrome
        (START - SINCE_2001, 1, "1989-09-13"),  # Apple
        ("2401311005", None, "2046-02-03"),
        (START, 1, None),
        ("2024013110", None, None),
        ("2999-01-01", None, "2999-01-01"),
    ],
)
def test_times_that_count_otherwise_are_remarked_upon(
    tmp_path: Path, first: Any, step: int | None, day: str | None
) -> None:
    table = [
        {"user": u, "item": i, "time": first + n * step if step else first}
        for n, (u, i) in enumerate(CHOSEN)
    ]
    log = csv(tmp_path / "log.csv", table)
    told = [line for line in remarks(log) if "1 January 1970" in line]
    assert len(told) == (day is not None)
    assert all(f"in time is read as {day}. If" in line for line in told)
    assert not any("1970" in line for line in remarks(log, TableOptions(by_user=True)))
    assert not any("1970" in line for line in remarks(csv(log, rows(("user", "item", "n")))))


@pytest.mark.parametrize("by_user", [False, True])
@pytest.mark.parametrize(
    ("none", "told"),
    [
        ("0", "have"),
        ("0.0", "have"),
        ("1970-01-01", "have"),
        ("1970-01-01T01:00:00", "have"),
        (str(START), None),
        ("1996-05-20", None),
    ],
)
def test_times_of_zero_beside_others_are_remarked_upon(
    tmp_path: Path, none: str, told: str | None, *, by_user: bool
) -> None:
    log = csv(
        tmp_path / "log.csv",
        [{"user": "ann", "item": n, "time": none if n < 4 else START + n} for n in range(8)],
    )
    found = [line for line in remarks(log, TableOptions(by_user=by_user)) if "1970" in line]
    assert [line.partition(" a time of 1 January 1970")[0] for line in found] == (
        [f"In time, 4 rows {told}"] if told else []
    )


def remarks(log: Path, options: TableOptions | None = None) -> list[str]:
    report = ReadReport()
    list(TableReader(log, options).sessions(report))
    return report.remarks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"user": "ann", "item": "t1", "price": NaN}\n', "a.jsonl:1"),
        ("{'user': 'ann', 'item': t1}\n", "a.jsonl:1"),
        ('[\n {"user": "ann",\n "item": "t1"}\n]\n', "one JSON list"),
    ],
)
def test_json_without_a_row_says_why(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        TableReader(file)


def test_days_that_are_too_short_say_what_to_do(tmp_path: Path) -> None:
    table = [
        {**row, "timestamp": row["timestamp"] + place * 86_400} for place, row in enumerate(rows())
    ]
    log = csv(tmp_path / "log.csv", table)
    reader, report = TableReader(log), ReadReport()
    assert not list(reader.sessions(report))
    assert "4 or more interactions on one day" in report.remarks[0]
    assert "`by_user`" in report.remarks[0]
    assert list(TableReader(log, TableOptions(by_user=True)).sessions(report)) == [SESSION]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ann,t1", "has 2 columns instead of 3"),
        ("ann,t1,soon", "time 'soon' is neither"),
        ("ann,t9,1600000000", "item 't9' is not in the catalogue"),
        (",t1,1600000000", "user '' is not text"),
        ('ann,"t1"x,1600000000', "is not a row of separated values"),
    ],
)
def test_malformed_rows_are_reported(tmp_path: Path, line: str, reason: str) -> None:
    log = csv(tmp_path / "log.csv", rows())
    log.write_text(f"{log.read_text()}{line}\n")
    report = ReadReport()
    known = {str(item["item_id"]) for item in ITEMS}
    assert list(TableReader(log).sessions(report, known)) == [SESSION]
    assert (report.malformed, report.first_malformed[0].line) == (1, 7)
    assert reason in report.first_malformed[0].reason


def test_an_open_quote_does_not_swallow_the_file_in_silence(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text('user,item\n1,"a\n' + "2,b\n" * 50_000)
    report = ReadReport()
    list(read_rows(log, report))
    assert report.malformed
    assert "(from line 2)" in report.first_malformed[0].reason


def test_a_parquet_file_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    names = ["user", "item", "item"]
    table = arrow.table([arrow.array(["u"]), arrow.array(["a"]), arrow.array(["b"])], names=names)
    importlib.import_module("pyarrow.parquet").write_table(table, tmp_path / "log.parquet")
    with pytest.raises(InputError, match="'item' twice"):
        open_reader("table", tmp_path / "log.parquet")


def odd(kind: str) -> Any:
    """Return a column of three values, of which Python cannot hold the second."""
    arrow = pytest.importorskip("pyarrow")
    ends, text = array("i", [0, 1, 2, 3]), b"a\xe9c"
    buffers = [None, arrow.py_buffer(ends), arrow.py_buffer(text)]
    latin = arrow.Array.from_buffers(arrow.string(), 3, buffers)
    match kind:
        case "latin":
            return latin
        case "nested":
            return arrow.StructArray.from_arrays([latin], ["name"])
        case "listed":
            return arrow.ListArray.from_arrays(arrow.array([0, 1, 2, 3], arrow.int32()), latin)
        case "timestamp":
            return arrow.array([0, 2**62, 0], arrow.timestamp("us"))
        case _:
            return arrow.array([0, 10**9, 0], arrow.date32())


ODD = ["latin", "nested", "listed", "timestamp", "date"]


@pytest.mark.parametrize("kind", ODD)
def test_a_value_of_parquet_that_python_cannot_hold_costs_its_row(
    tmp_path: Path, kind: str
) -> None:
    column, arrow = odd(kind), importlib.import_module("pyarrow")
    items = tmp_path / "items.parquet"
    table = arrow.table({"id": [1, 2, 3], "title": ["A", "B", "C"], "fact": column})
    importlib.import_module("pyarrow.parquet").write_table(table, items)
    reader, report = open_reader("table", items), ReadReport()
    assert [item.id for item in reader.items(report)] == ["1", "3"]
    (bad,) = report.first_malformed
    assert (bad.line, report.malformed) == (2, 1)
    assert "in 'fact' that cannot be read" in bad.reason
    assert report.bytes_read == items.stat().st_size


@pytest.mark.parametrize("kind", ODD)
def test_columns_of_parquet_that_nobody_asks_for_are_not_read(tmp_path: Path, kind: str) -> None:
    column, arrow = odd(kind), importlib.import_module("pyarrow")
    parquet_of = importlib.import_module("pyarrow.parquet").write_table
    asked = {"history": [["a", "b"]] * 3, "key": [1, 2, 3]}
    parquet_of(arrow.table({**asked, "other": column}), tmp_path / "asked.parquet")
    assert [row.problem for row in read_requests(tmp_path / "asked.parquet")] == [""] * 3
    parquet_of(arrow.table({"history": asked["history"], "key": column}), tmp_path / "odd.parquet")
    found = list(read_requests(tmp_path / "odd.parquet"))
    assert [row.number for row in found] == [1, 2, 3]
    assert "in 'key' that cannot be read" in found[1].problem


def test_a_time_zone_that_is_not_known_ends_no_reading(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    there = arrow.array([0, 1], arrow.timestamp("s", "Mars/Olympus"))
    table = arrow.table({"id": [1, 2], "title": ["A", "B"], "since": there})
    importlib.import_module("pyarrow.parquet").write_table(table, tmp_path / "items.parquet")
    report = ReadReport()
    assert list(open_reader("table", tmp_path / "items.parquet").items(report)) == []
    assert report.malformed == 2


def test_a_damaged_page_of_parquet_is_an_error_of_the_file(tmp_path: Path) -> None:
    items = parquet(tmp_path / "items.parquet", [{"id": n, "title": f"T{n}"} for n in range(9)])
    content = bytearray(items.read_bytes())
    content[4:60] = b"\xff" * 56
    items.write_bytes(content)
    with pytest.raises(InputError, match="damaged Parquet file"):
        list(open_reader("table", items).items(ReadReport()))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    log = tmp_path / "log.parquet"
    log.write_bytes(b"PAR1")

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 're2llm\[parquet\]'"):
        TableReader(log)


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"\0" * 100, b"", b"\0\1\2\3" * 100])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    if content.startswith(b"PAR1"):
        pytest.importorskip("pyarrow")
    log = tmp_path / "log.parquet"
    log.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged|empty|binary"):
        TableReader(log)


def test_columns_are_for_tables_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="or load `table`"):
        open_reader("jsonl", tmp_path, TableOptions(user="u"))
    with pytest.raises(InputError, match="does not exist"):
        open_reader("table", tmp_path / "log.csv")


@pytest.mark.parametrize(("typed", "likely"), [("catalogue.csv", "table"), ("data/shop", "jsonl")])
def test_a_path_in_place_of_a_data_set_is_told_from_a_wrong_name(typed: str, likely: str) -> None:
    said = rf"^dataset: .*jsonl, table\. It comes before the path: re2llm load {likely} {typed}$"
    with pytest.raises(InputError, match=said):
        open_reader(typed, None)
    with pytest.raises(InputError, match=r"^dataset: .*jsonl, table\.$"):
        open_reader("hetrek", None)


def test_a_header_of_very_many_columns_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{number}" for number in range(300_000)) + "\n")
    with pytest.raises(InputError, match="more than 10,000 columns"):
        TableReader(path)


def test_one_user_of_everything_is_no_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_sessions, "_MOST_OF_A_USER", 4)
    path = csv(tmp_path / "shop.csv", [{**row, "user_id": "shop"} for row in rows()])
    with pytest.raises(InputError, match="'shop' has more than 4"):
        list(TableReader(path).sessions(ReadReport()))


def test_of_a_very_long_title_the_beginning_is_kept() -> None:
    assert clean_title("Heat " * 1_000) == ("Heat " * 400).rstrip()


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Rome"])
def test_nanoseconds_of_parquet_are_read_as_pythons_own_times(tmp_path, zone):
    """Whether pandas is installed or not, which alone has times of nanoseconds."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "at": arrow.array([1_700_000_000_123_456_789, None], arrow.timestamp("ns", tz=zone)),
        "lasts": arrow.array([1_001, 2_000], arrow.duration("ns")),
        "daily": arrow.array([1_001, 2_000], arrow.time64("ns")),
        "n": [1, 2],
    }
    file = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), file)
    report = ReadReport()
    (_, first), (_, second) = read_rows(file, report)
    assert not report.malformed
    assert type(first["at"]) is datetime
    assert first["at"].microsecond == 123_456
    assert first["at"].timestamp() == pytest.approx(1_700_000_000.123456) or zone is None
    assert (first["lasts"], first["daily"]) == (timedelta(microseconds=1), time(0, 0, 0, 1))
    assert (second["at"], second["n"]) == (None, 2)


@pytest.mark.parametrize(
    "text", ["4_5", "1__0", "inf", "nan", "1e999", "0x4", "\u0664", "", "4,5", "4 5"]
)
def test_what_is_no_plain_number_is_no_rating(text: str) -> None:
    with pytest.raises(RowError, match="is not a number"):
        rating_value(text)


@pytest.mark.parametrize("text", ["4", "4.5", " 4.50 ", ".5", "5.", "+3", "-1", "4e0", "45E-1"])
def test_a_plain_number_is_a_rating(text: str) -> None:
    assert rating_value(text) == float(text)


@pytest.mark.parametrize("late", [1, 400, 1_500])
def test_a_key_of_json_may_be_missing_in_the_first_rows(tmp_path: Path, late: int) -> None:
    """As a time or a title is that not every row has; one that the user names may come late."""
    log = [{"user_id": "u", "item_id": f"t{n}", "timestamp": START + 3000 - n} for n in range(2000)]
    items = [{"sku": f"t{n}", "title": f"Tea {n}", "rare": n} for n in range(2000)]
    for row in log[:late]:
        row["day"] = row.pop("timestamp")
    for row in items[:late]:
        row["label"] = row.pop("title")
    names = {"time": "timestamp", "title": "title"} if late > 1_000 else {}
    options = TableOptions(items=jsonl(tmp_path / "items", items), **names)
    reader, report = TableReader(jsonl(tmp_path / "log", log), options), ReadReport()
    assert [item.id for item in reader.items(report)] == [f"t{n}" for n in range(late, 2000)]
    assert report.malformed == late
    (session,) = reader.sessions(report)
    assert session.target == f"t{late}"
    assert report.malformed == 2 * late
    alone = open_reader("table", tmp_path / "items", TableOptions(id="sku", title="title"))
    assert next(iter(alone.items(ReadReport()))).id == f"t{late}"


def test_a_key_that_few_rows_of_json_have_is_no_column_of_all(tmp_path: Path) -> None:
    table = [{**row} for row in rows(("user", "item", "date")) * 4]
    table[7] |= {"timestamp": None}
    report = ReadReport()
    assert list(TableReader(jsonl(tmp_path / "log", table)).sessions(report))
    assert report.malformed == 0
    with pytest.raises(InputError, match=r"Its columns are user, item, date\.$"):
        TableReader(tmp_path / "log", TableOptions(user="who"))


OPTIONAL = [(8, 4), (8, 2), (3, 0), (40, 1)]


@pytest.mark.parametrize(("every", "at"), OPTIONAL)
def test_an_optional_key_of_json_takes_no_usual_column_from_its_place(
    tmp_path: Path, every: int, at: int
) -> None:
    """Whether or not the first row has it, and if all have it but mostly without a value."""
    log = [{"customer": "ann", "item_id": f"t{n}", "date": START + n} for n in range(60)]
    items = [{"id": f"t{n}", "name": f"Tea {n}"} for n in range(60)]
    for kind in ("lacking", "null"):
        for n, (row, item) in enumerate(zip(log, items, strict=True)):
            if n % every == at:
                row |= {"user_id": "x", "timestamp": 5}
                item["title"] = "Dr."
            elif kind == "null":
                row |= {"user_id": None, "timestamp": None}
                item["title"] = None
        options = TableOptions(items=jsonl(tmp_path / "items", items))
        reader, report = TableReader(jsonl(tmp_path / "log", log), options), ReadReport()
        assert [item.title for item in reader.items(report)] == [f"Tea {n}" for n in range(60)]
        assert [session.target for session in reader.sessions(report)] == ["t59"]
        assert report.malformed == 0
        named = TableReader(tmp_path / "log", TableOptions(items=tmp_path / "items", title="title"))
        assert {item.title for item in named.items(ReadReport())} == {"Dr."}


@pytest.mark.parametrize("lacking", [5, 10])
def test_a_usual_name_that_most_rows_have_stays_the_first_choice(
    tmp_path: Path, lacking: int
) -> None:
    items: list[dict[str, Any]] = [
        {"id": f"t{n}", "description": "Tea", "title": f"Tea {n}"} for n in range(60)
    ]
    for row in items[::lacking]:
        del row["title"]
    reader = TableReader(
        jsonl(tmp_path / "log", [{"user": "ann", "item": "t1"}]),
        TableOptions(items=jsonl(tmp_path / "items", items)),
    )
    report = ReadReport()
    kept = [f"Tea {n}" for n in range(60) if n % lacking]
    assert [item.title for item in reader.items(report)] == kept
    assert report.malformed == 60 - len(kept)


def test_rows_that_repeat_the_row_before_are_told_and_count_once(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = [f"u,{item},{time}" for time, item in enumerate("abcd") for _ in range(3)]
    log.write_text("\n".join(["user,item,time", *rows, "v,a,1", "v,b,2"]))
    for by_user in (False, True):
        reader, report = TableReader(log, TableOptions(by_user=by_user)), ReadReport()
        first, *_ = reader.sessions(report)
        assert first == Session(("a", "b", "c"), "d")
        assert (
            "8 rows repeat the item of the same user's row before"
            in report.remarks[-1 - (not by_user)]
        )
