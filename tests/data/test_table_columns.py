"""Which columns of a user's own tables hold what, where their names alone would mislead."""

import importlib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from re2llm.data.interactions import TableOptions, TableReader
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.data.request_rows import read_requests
from re2llm.errors import InputError
from re2llm.records import Item, Session

START = 1_600_000_000


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def table(path: Path, names: str, *rows: object) -> Path:
    return written(path, "\n".join([names, *map(str, rows)]) + "\n")


def log_of(folder: Path, names: str, ids: list[Any], users: int = 2) -> Path:
    rows = [
        f"u{user},{id_},{START + place}"
        for user in range(users)
        for place, id_ in enumerate(ids[user:] + ids[:user])
    ]
    return table(folder / "log.csv", f"user_id,{names},timestamp", *rows)


def loaded(log: Path, **options: Any) -> tuple[list[Item], list[Session], ReadReport]:
    reader, report = open_reader("table", log, TableOptions(**options)), ReadReport()
    items = list(reader.items(report))
    sessions = list(reader.sessions(report, {item.id for item in items}))
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    return items, sessions, report


# Which column of the items holds the id


@pytest.mark.parametrize(
    ("named", "header", "rows", "expected"),
    [
        # a row number beside the product's id, which the log has
        ("product_id", "id,product_id,name", ["1,3,A", "2,1,B", "3,2,C", "4,4,D"], "BCAD"),
        ("product_id", "id,product_id,name", ["1,p1,A", "2,p2,B"], None),
        # the id is right, and another column is called as the log calls it
        ("book_id", "id,book_id,title", ["1,77,A", "2,1,B", "3,99,C", "4,98,D"], "ABCD"),
        # a column of a usual name that is blank for most
        ("book_id", "asin,book_id,title", [",1,A", "B0,2,B", ",3,C", ",4,D"], "ABCD"),
        # neither is called as in the log
        ("item_id", "id,sku,title", ["7,1,A", "8,2,B", "9,3,C", "1,4,D"], "ABCD"),
        # a usual name for an id that holds something else
        ("item_id", "id,title,product", ["1,A,x", "2,B,x", "3,C,x", "4,D,y"], "ABCD"),
        # the column of the log's name, though it lacks an item that is gone
        ("product_id", "id,product_id,name", ["1,2,B", "2,3,C", "3,4,D", "4,9,E"], "BCD"),
        ("url", "id,url,title", ["6,1,A", "7,2,B", "8,3,C", "9,4,D"], "ABCD"),
        ("item_id", "id,title", ["1.0,A", "002,B", "3,C", "4,D"], "ABCD"),
    ],
)
def test_the_column_whose_ids_the_log_has_is_the_id(
    tmp_path: Path, named: str, header: str, rows: list[str], expected: str | None
) -> None:
    ids = ["1", "2", "3", "4"] if expected else ["p1", "p2"]
    items = table(tmp_path / "items.csv", header, *rows)
    log = log_of(tmp_path, named, ids)
    given = {"item": named} if named == "url" else {}
    found, sessions, report = loaded(log, items=items, by_user=True, **given)
    titles = {item.id: item.title for item in found}
    chosen = [*sessions[0].history, sessions[0].target]
    assert "".join(titles[str(id_)] for id_ in chosen) == (expected or "AB")
    assert "; " in report.remarks[0]
    assert report.malformed == (0 if len(chosen) == len(ids) else 2)


def test_an_id_that_is_named_is_taken(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "id,product_id,title", "1,2,A", "2,1,B")
    log = log_of(tmp_path, "product_id", ["1", "2"])
    found, _, report = loaded(log, items=items, id="id", by_user=True)
    assert [(item.id, item.title) for item in found] == [("1", "A"), ("2", "B")]
    assert "id = id, title = title" in report.remarks[0]


def test_of_two_ids_in_a_log_the_one_that_the_items_have_is_taken(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "sku,title", "a,A", "b,B", "c,C")
    rows = [f"u,{n},{sku},{START + n}" for n, sku in enumerate("abc")]
    log = table(tmp_path / "log.csv", "user,item_id,sku,time", *rows)
    _, (session,), report = loaded(log, items=items, by_user=True)
    assert session == Session(("a", "b"), "c")
    assert "item = sku" in report.remarks[0]
    assert "id = sku" in report.remarks[0]


# Titles in the log


def bought(folder: Path, title: str, spell: Any) -> Path:
    rows = [
        f"{user},{item},{spell(user, item, place)},{START + place}"
        for user in ("ann", "bob", "cid")
        for place, item in enumerate("abcd")
    ]
    return table(folder / "log.csv", f"user,item,{title},time", *rows)


@pytest.mark.parametrize(
    ("title", "options"),
    [("title", {}), ("Description", {}), ("label", {"title": "label"})],
)
def test_titles_in_a_log_name_its_items(tmp_path: Path, title: str, options: Any) -> None:
    log = bought(tmp_path, title, lambda user, item, _: "" if user == "ann" else f"Tea {item} ")
    reader, report = TableReader(log, TableOptions(**options)), ReadReport()
    found = list(reader.items(report))
    assert [(item.id, item.title) for item in found] == [(id_, f"Tea {id_}") for id_ in "abcd"]
    assert not any(item.named or item.attributes for item in found)  # the catalogue's stay
    assert len(list(reader.sessions(report))) == 3
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    assert f"have the titles in {title}" in report.remarks[0]


@pytest.mark.parametrize(
    "spell",
    [
        lambda user, item, place: f"{user} on {item}",  # a review's headline
        lambda user, item, place: user.title(),  # the user's name
        lambda user, item, place: "Tea",
        lambda user, item, place: "view" if item in "abc" else "sale",  # a kind
        lambda user, item, place: "",
    ],
)
@pytest.mark.parametrize("title", ["title", "name"])
def test_what_names_no_item_is_not_its_title(tmp_path: Path, title: str, spell: Any) -> None:
    found, sessions, report = loaded(bought(tmp_path, title, spell))
    assert [(item.id, item.title) for item in found] == [(id_, id_) for id_ in "abcd"]
    assert len(sessions) == 3
    assert f"called by their ids (if {title} is their title, name it" in report.remarks[0]


def test_an_item_is_called_by_its_first_title(tmp_path: Path) -> None:
    names = iter(["A", "B", "C", "D", "A", "B", "C", "D", "A", "B", "C!", "D"])
    log = bought(tmp_path, "label", lambda *_: next(names))
    assert [item.title for item in loaded(log, title="label", user="user")[0]] == list("ABCD")


def test_an_item_without_a_title_is_called_by_its_id(tmp_path: Path) -> None:
    log = bought(tmp_path, "title", lambda _, item, place: "" if item == "a" else f"Tea {place}")
    assert [item.title for item in loaded(log)[0]] == ["a", "Tea 1", "Tea 2", "Tea 3"]


def test_of_a_table_with_users_and_a_named_title_the_rows_decide(tmp_path: Path) -> None:
    log = bought(tmp_path, "label", lambda _, item, __: f"Tea {item}")
    assert len(loaded(log, title="label")[1]) == 3
    items = table(tmp_path / "items.csv", "id,label,customer", "1,A,x", "2,B,y")
    found, sessions, _ = loaded(items, title="label")
    assert ([item.title for item in found], sessions) == (["A", "B"], [])


def test_an_id_needs_a_table_of_items(tmp_path: Path) -> None:
    log = bought(tmp_path, "title", lambda *_: "x")
    with pytest.raises(InputError, match=r"^id: Only a table of items has one"):
        open_reader("table", log, TableOptions(user="user", id="item"))
    with pytest.raises(InputError, match=r"^title: .* has no column 'label'"):
        open_reader("table", log, TableOptions(user="user", title="label"))


# Ids without a catalogue


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["7.0", "8.0", "10.00"], ["7", "8", "10"]),
        (["7.0", "8", "9"], ["7.0", "8", "9"]),
        (["7.0", "8.5", "9.0"], ["7.0", "8.5", "9.0"]),
        (["007", "008", "009"], ["007", "008", "009"]),
        (["1.0", "2.0", "beta"], ["1.0", "2.0", "beta"]),
    ],
)
def test_a_column_of_floats_holds_whole_numbers(
    tmp_path: Path, ids: list[str], expected: list[str]
) -> None:
    found, sessions, report = loaded(log_of(tmp_path, "item_id", ids), by_user=True)
    assert [item.id for item in found] == expected
    assert [*sessions[0].history, sessions[0].target] == expected
    assert report.malformed == 0


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
        *("user,item,time,day", "user,item,date,update_time,order_time"),
    ],
)
@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2024-01-31", ["08:00", "09:30", "13:00", "23:59"]),
        ("2024-01-31 00:00:00", ["8:00:00", "9:30:00", "13:00:00", "23:59:59"]),
        ("31/01/2024", ["8:00 AM", "12:30 pm", "1:00 PM", "11:59 PM"]),
        ("1/31/2024 0:00", ["8:00:00", "9:30:00.5", "13:00:00", "23:59:00"]),
        ("20240131", ["8:00", "", "9:00", "10:00"]),
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
    expected = Session(("b", "a", "c"), "d") if "" in hours else Session(("a", "b", "c"), "d")
    assert list(reader.sessions(report)) == [expected]
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
