"""What the cells of a user's own tables say: nothing, parts of a moment, and types of programs."""

import csv
import importlib
import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from own_tables import START, loaded, table
from re2llm.data import cells
from re2llm.data.cells import is_list
from re2llm.data.interactions import TableReader
from re2llm.data.malformed import ReadReport
from re2llm.data.request_rows import read_requests
from re2llm.records import Item, Session

# Values that are not there


@pytest.mark.parametrize("nobody", ["NA", "\\N", "<null>", "(null)", "NULL", "nan", ""])
def test_nobody_is_no_user(tmp_path: Path, nobody: str) -> None:
    rows = [f"{nobody},{place},{item},{START}" for place, item in enumerate("abcd")]
    known = [f"ann,9,{item},{START}" for item in "abcd"]
    log = table(tmp_path / "log.csv", "userId,sessionId,item,time", *rows, *known)
    _, sessions, report = loaded(log)
    assert (len(sessions), report.malformed) == (1, 4)
    told = [note.reason for note in report.first_malformed]
    assert "if sessionId tells people apart, name it as `user`" in told[0]
    assert "sessionId" not in told[1]


@pytest.mark.parametrize("gap", ["NA", "\\N", "<null>", "NaN"])
def test_a_gap_is_no_fact(tmp_path: Path, gap: str) -> None:
    items = table(tmp_path / "items.tsv", "id\ttitle\tgenre\tyear", f"1\tA\t{gap}\t{gap}")
    (item,), _, _ = loaded(items)
    assert item == Item("1", "A")


@pytest.mark.parametrize("end", ["jsonl", "parquet", "json"])
def test_na_is_a_fact_where_gaps_are_told_otherwise(tmp_path: Path, end: str) -> None:
    rows = [
        {"id": n, "title": "T", "region": region} for n, region in enumerate(("NA", "EU", None))
    ]
    file = tmp_path / f"items.{end}"
    if end == "parquet":
        arrow = pytest.importorskip("pyarrow")
        write = importlib.import_module("pyarrow.parquet").write_table
        write(arrow.Table.from_pylist(rows), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    log = table(tmp_path / "log.csv", "user,item,time", f"u,0,{START}")
    for found in (loaded(file)[0], loaded(log, items=file)[0]):
        assert [item.attributes for item in found] == [{"region": "NA"}, {"region": "EU"}, {}]


def test_na_may_be_an_id_and_a_title(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "id,title", "NA,NA", "b,B", "\\N,C", "d,\\N")
    found, _, report = loaded(items)
    assert [(item.id, item.title) for item in found] == [("NA", "NA"), ("b", "B")]
    assert report.malformed == 2


@pytest.mark.parametrize("gap", ["NA", "\\N", ""])
def test_the_first_time_may_be_missing(tmp_path: Path, gap: str) -> None:
    rows = [f"ann,{item},31/01/2024 10:0{place}" for place, item in enumerate("abcd")]
    log = table(tmp_path / "log.csv", "user,item,time", f"ann,z,{gap}", *rows)
    reader, report = TableReader(log), ReadReport()
    assert list(reader.sessions(report)) == [Session(("a", "b", "c"), "d")]
    assert report.malformed == 1


# A date and a time of day


@pytest.mark.parametrize(
    "names",
    [
        *("user,item,date,time", "user,item,time,order_date", "user,item,order_date,order_time"),
        *("user,item,time,day", "user,item,order_date,update_time,order_time"),
    ],
)
@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2024-01-31", ["08:00", "09:30", "13:00", "23:59"]),
        ("2024-01-31 00:00:00", ["8:00:00", "9:30:00", "13:00:00", "23:59:59"]),
        ("31/01/2024", ["8:00 AM", "12:30 pm", "1:00 PM", "11:59 PM"]),
        ("1/31/2024 0:00", ["8:00:00", "9:30:00.5", "13:00:00", "23:59:00"]),
        ("20240131", ["8:00", "8:30", "9:00", "10:00"]),
        ("31 Jan 2024", ["8:00 AM", "12:30 PM", "1:00 PM", "11:59 PM"]),
    ],
)
def test_a_date_and_a_time_of_day_are_one_moment(
    tmp_path: Path, names: str, day: str, hours: list[str]
) -> None:
    rows = []
    for item, hour in zip("abcd", hours, strict=True):
        cells = {"user": "ann", "item": item, "time": hour, "order_time": hour}
        cells |= {"date": day, "order_date": day, "day": day, "update_time": str(START)}
        rows.append(",".join(cells[name] for name in names.split(",")))
    log = table(tmp_path / "log.csv", names, *reversed(rows))
    reader, report = TableReader(log), ReadReport()
    list(reader.items(report))
    assert list(reader.sessions(report)) == [Session(("a", "b", "c"), "d")]
    assert report.malformed == 0
    parts = names.split(",")
    date = next(name for name in ("date", "order_date", "day") if name in parts)
    clock = next(name for name in ("time", "order_time") if name in parts)
    assert f"time = {date} and {clock};" in report.remarks[0]


def test_dates_and_times_of_parquet_are_one_moment(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    for days in ([date(2024, 1, 31)] * 4, [datetime(2024, 1, 31)] * 4):  # noqa: DTZ001
        columns = {
            "user": ["ann"] * 4,
            "item": list("abcd"),
            "date": days,
            "time": [time(9), time(8), time(7, 30), time(6, 0, 1)],
        }
        file = tmp_path / "log.parquet"
        importlib.import_module("pyarrow.parquet").write_table(arrow.table(columns), file)
        reader, report = TableReader(file), ReadReport()
        assert list(reader.sessions(report)) == [Session(("d", "c", "b"), "a")]


@pytest.mark.parametrize(
    ("time", "date"),
    [
        (lambda n: START + n, "yesterday"),
        (lambda n: f"2024-01-31 10:0{n}", "2024-01-30"),
        (lambda n: f"10:0{n}" if n else f"2024-01-31 10:0{n}", "2024-01-31"),
        (lambda n: f"10:0{n}", START),
        (lambda n: f"10:0{n}", "2024-01-31 09:00"),
    ],
)
def test_a_time_with_its_own_date_stands_alone(tmp_path: Path, time: Any, date: str) -> None:
    rows = [f"ann,{item},{time(n)},{date}" for n, item in enumerate("abcd")]
    log = table(tmp_path / "log.csv", "user,item,time,date", *rows)
    reader, report = TableReader(log), ReadReport()
    list(reader.items(report))
    list(reader.sessions(report))
    assert "time = time;" in report.remarks[0]


@pytest.mark.parametrize("other", ["playtime", "delivery_time", "order_time"])
def test_a_duration_is_no_time_of_day(tmp_path: Path, other: str) -> None:
    rows = [f"ann,{item},2024-01-31,1{9 - n}:30" for n, item in enumerate("abcd")]
    log = table(tmp_path / "log.csv", f"user,item,date,{other}", *rows)
    reader, report = TableReader(log), ReadReport()
    list(reader.items(report))
    assert list(reader.sessions(report)) == [Session(("a", "b", "c"), "d")]
    assert "time = date;" in report.remarks[0]


def days_and(folder: Path, cells: list[str], names: str = "date,time") -> Path:
    rows = [f"ann,{n},2024-01-31,{cell}" for n, cell in enumerate(cells)]
    return table(folder / "log.csv", f"user,item,{names}", *rows)


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (["19:30", "18:30", "70:59", "3:45"], {"time": "date"}),
        (["19:30", "18:30", "70:59", "3:45"], {}),
        (["2:10:75", "3:45", "18:30", "1:00"], {}),
        (["19:30", "18:30", "17:30", "3:45"], {"time": "date"}),  # which could be a time of day
        (["", "9:00", "", "", "8:00", ""], {}),  # it is told of few rows
    ],
)
@pytest.mark.parametrize("names", ["date,time", "date,Time"])
def test_a_date_that_is_named_or_has_no_time_of_day_stands_alone(
    tmp_path: Path, cells: list[str], options: Any, names: str
) -> None:
    _, (session,), report = loaded(days_and(tmp_path, cells, names), **options)
    assert [*session.history, session.target] == [str(n) for n in range(len(cells))]
    assert report.malformed == 0
    assert "time = date;" in report.remarks[0]


@pytest.mark.parametrize("options", [{}, {"time": "time"}])
def test_a_row_without_the_time_of_day_that_others_have_is_told(
    tmp_path: Path, options: Any
) -> None:
    log = days_and(tmp_path, ["12:00", "11:00", "NA", "10:00", "9:00", ""])
    _, sessions, report = loaded(log, **options)
    assert sessions == [Session(("4", "3", "1"), "0")]
    assert [note.line for note in report.first_malformed] == [4, 7]
    assert "no time of day in time; if the date is enough, name date as `time`" in (
        report.first_malformed[0].reason
    )


# Several items in one cell


@pytest.mark.parametrize(
    "cell",
    [
        *("[0, 1, 2]", "[7]", "[]", "[0 1 2]", "[0 1 ... 8 9]", "['a', 'b']", "['a b' 'c']"),
        *('["a"]', "[a, b]", "(0, 1)", "('a', 'b')", "{a,b}", "{1, 2}", '{"id": 7}', " [1,2] "),
    ],
)
@pytest.mark.parametrize("end", ["csv", "jsonl"])
def test_a_list_is_no_id(tmp_path: Path, cell: str, end: str) -> None:
    log = tmp_path / f"log.{end}"
    rows = [{"user_id": "ann", "item_id": item} for item in ("a", "b", cell)]
    rows.append({"user_id": cell, "item_id": "a"})
    if end == "csv":
        with log.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, sessions, report = loaded(log)
    assert [item.id for item in found] == ["a", "b"]
    assert sessions == [Session(("a",), "b")]
    told = [note.reason for note in report.first_malformed]
    assert [one.partition(" ")[0] for one in told] == ["item", "user"]
    assert all(one.endswith("is a list; write one row for each of its entries") for one in told)


def test_only_what_begins_with_a_bracket_is_looked_through_for_a_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cells, "_FIGURES", None)  # which raises where it is used
    assert not is_list("shop 1")
    assert not is_list("")
    with pytest.raises(AttributeError):
        is_list("[1]")


def test_a_list_in_json_and_in_a_table_of_items_is_no_id(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"user": "ann", "item": ["a", "b"]}) + "\n")
    assert "is a list; write" in loaded(log)[2].first_malformed[0].reason
    found, _, report = loaded(table(tmp_path / "items.csv", "id,title", "a,A", '"[1, 2]","[1, 2]"'))
    assert (found, report.malformed) == ([Item("a", "A")], 1)


@pytest.mark.parametrize(
    "id_",
    [
        *("[Rec]", "[Rec] 2", "(Untitled)", "(500) Days", "{0d5c7f8e-3e0f-4b51-9f6a-2f0f2a3c9b11}"),
        *("(Hello, World)", "[", "]", "a, b", "[a] b, [c]d", "{7}"),
    ],
)
def test_an_id_may_hold_brackets(tmp_path: Path, id_: str) -> None:
    log = table(tmp_path / "log.csv", "user,item", f'ann,"{id_}"', "ann,b")
    found, sessions, report = loaded(log)
    assert sessions == [Session((id_,), "b")]
    assert ([item.id for item in found], report.malformed) == ([id_, "b"], 0)


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["P0|P1|P2", "P1|P3", "P4"], "|"),
        (["P0;P1", "P1;P2", "P2;P0"], ";"),
        (["P0, P1", "P2, P3, P4", "P1, P2"], ","),
        (["P0 P1", "P2 P3 P4", "P1 P2"], " "),
        (["shop1|7", "shop1|8", "shop2|7"], None),
        (["Toy Story 2", "Heat", "The Story of 2 Men"], None),
        (["a|b", "c", "d"], None),
        (["a|", "|b", "a|b|"], None),
    ],
)
def test_a_mark_between_items_is_told(tmp_path: Path, cells: list[str], mark: str | None) -> None:
    rows = [f"u{n}\t{cell}" for n, cell in enumerate(cells * 2)]
    found, _, report = loaded(table(tmp_path / "log.tsv", "session_id\tproduct_id", *rows))
    assert [item.id for item in found] == cells
    told = [remark for remark in report.remarks if "write one row for each" in remark]
    assert len(told) == (mark is not None)
    assert all(f"most ids in product_id hold {mark!r}" in remark for remark in told)


def test_arrays_and_objects_of_a_database_are_facts(tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    facts = ["{new}", '{red,"very new"}', "{}", "{{1},{2}}"], ['{"color": "Red"}', "", "\\N", "{}"]
    with items.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "title", "tags", "details")])
        csv.writer(file).writerows(zip("abcd", "ABCD", *facts, strict=True))
    found, _, report = loaded(items)
    assert [item.attributes for item in found] == [
        {"tags": ["new"], "details.color": "Red"},
        {"tags": ["red", "very new"]},
        {},
        {},
    ]
    assert any("tags" in note for note in report.notes)  # lists of lists cannot be kept


# Types of Parquet


def test_ids_and_texts_of_parquet_may_be_bytes_and_uuids(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    write = importlib.import_module("pyarrow.parquet").write_table
    keys = [UUID(int=n * 0xFF00FF) for n in range(4)]
    raw = [key.bytes for key in keys]
    users, texts = [b"ann"] * 4, [str(key).encode() for key in keys]
    kinds = {"bytes": arrow.array(texts, arrow.binary()), "fixed": arrow.array(raw)}
    kinds["large"] = arrow.array(texts, arrow.large_binary())
    kinds["of 16"] = arrow.array(raw, arrow.binary(16))
    if hasattr(arrow, "uuid"):
        kinds["uuid"] = arrow.array(raw, arrow.uuid())
    items = {"id": [str(key) for key in keys], "title": [b"A", b"B", b"C", "D\u00fc".encode()]}
    facts = {"tags": [[b"x", b"y"]] * 4, "image": [b"\x89PNG\0"] * 4, "mask": [b"a\0"] * 4}
    write(arrow.table({**items, **facts}), tmp_path / "items.parquet")
    for kind, column in kinds.items():
        log = tmp_path / "log.parquet"
        write(arrow.table({"user": users, "item": column, "time": range(START, START + 4)}), log)
        found, (session,), report = loaded(log, items=tmp_path / "items.parquet")
        assert [item.title for item in found] == ["A", "B", "C", "D\u00fc"], kind
        assert found[0].attributes == {"tags": ["x", "y"]}
        assert [*session.history, session.target] == items["id"]
        assert report.malformed == 0
        write(
            arrow.table(
                {
                    "history": arrow.array([raw], arrow.list_(column.type))
                    if kind in {"fixed", "of 16"}
                    else [texts]
                }
            ),
            log,
        )
        (asked,) = read_requests(log)
        assert list(asked.history) == items["id"]


# Types in the header


def test_types_in_a_header_are_no_part_of_its_names(tmp_path: Path) -> None:
    items = table(
        tmp_path / "x.item",
        "item_id:token\tmovie_title:token_seq\tyear:token\tclass:token_seq\tvector:float_seq",
        *(f"{n}\tToy Story {n}\t1995\tAnimation Comedy\t0.5 1.5" for n in range(4)),
    )
    log = table(
        tmp_path / "x.inter",
        "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        *(f"ann\t{n}\t3.0\t{START + n}" for n in range(4)),
    )
    for options in ({}, {"user": "user_id", "id": "item_id", "title": "movie_title:token_seq"}):
        found, sessions, report = loaded(log, items=items, **options)
        facts = {"year": 1995, "class": ["Animation", "Comedy"], "vector": ["0.5", "1.5"]}
        assert found[0] == Item("0", "Toy Story 0", facts)
        assert sessions == [Session(("0", "1", "2"), "3")]
        assert report.malformed == 0


# Rows that do not count


@pytest.mark.parametrize("title", ["", ",title"])
def test_a_log_has_no_items_of_malformed_rows(tmp_path: Path, title: str) -> None:
    told = [f",T {item}" if title else "" for item in range(7)]
    rows = [f"ann,{item},{START + n}{told[n]}" for n, item in enumerate("abcd")]
    lost = [f"ann,e,yesterday{told[4]}", f",f,{START}{told[5]}", f"ann,a,soon{told[6]}"]
    log = table(tmp_path / "log.csv", f"user,item,time{title}", *lost, *rows)
    found, sessions, report = loaded(log, **({"title": "title"} if title else {}))
    assert [(item.id, item.title) for item in found] == [
        (item, f"T {n}" if title else item) for n, item in enumerate("abcd")
    ]
    assert (len(sessions), report.malformed) == (1, 3)


# Numbers that a spreadsheet shortened


@pytest.mark.parametrize("ean", ["4.00638E+12", "4,00638E+12", "1E+11", "1.2E+19"])
def test_an_id_that_has_lost_its_last_digits_is_none(tmp_path: Path, ean: str) -> None:
    rows = [f"ann;{ean}", f"{ean};a", f"bob;{ean}", "ann;b", "ann;c"]
    found, sessions, report = loaded(table(tmp_path / "log.csv", "user;item", *rows))
    assert [item.id for item in found] == ["b", "c"]
    assert sessions == [Session(("b",), "c")]
    assert report.malformed == 3
    told = [note.reason for note in report.first_malformed]
    assert [one.partition(" has lost its last digits")[0] for one in told] == [
        f"{what} {ean!r}" for what in ("item", "user", "item")
    ]
    items = table(tmp_path / "items.csv", "id;title", f"{ean};Tea", "b;Pot")
    assert [item.id for item in loaded(items)[0]] == ["b"]


@pytest.mark.parametrize(
    "id_", ["4e12", "1E12", "1.5E3", "7E+00", "1e+05", "A1E+11", "4006380000000", "1e+15", "1E+99"]
)
def test_an_id_may_look_like_a_power_of_ten(tmp_path: Path, id_: str) -> None:
    found, _, report = loaded(table(tmp_path / "log.csv", "user,item", f"ann,{id_}", "ann,x"))
    assert ([item.id for item in found], report.malformed) == ([id_, "x"], 0)
