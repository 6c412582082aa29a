"""Tables that were joined from several files: headers in the middle, and ids in two spellings."""

from pathlib import Path

import pytest
from own_tables import START, loaded, table
from re2llm.data.interactions import TableOptions
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.data.table_rows import column_names
from re2llm.operations.loading.load_files import load_files
from re2llm.records import Session
from re2llm.runtime.context import Context

# Headers between rows


@pytest.mark.parametrize(
    ("names", "again", "row"),
    [
        ("user_id,item_id,timestamp", "user_id,item_id,timestamp", "{user},{item},{time}"),
        ('"user_id";"item_id";"time"', '"user_id";"item_id";"time"', "{user};{item};{time}"),
        ("user_id\titem_id\tts", " user_id \titem_id\tts", "{user}\t{item}\t{time}"),
        (",user,item,date", ",user,item,date", "0,{user},{item},{time}"),
        ("user,item,date", "\ufeffuser,item,date", "{user},{item},{time}"),
        ('"user","item","date"', '\ufeff"user","item","date"', "{user},{item},{time}"),
    ],
)
def test_a_header_between_rows_is_no_row(tmp_path: Path, names: str, again: str, row: str) -> None:
    rows = [row.format(user="ann", item=item, time=START + n) for n, item in enumerate("abcd")]
    log = table(tmp_path / "log.csv", names, *rows[:2], again, *rows[2:], again)
    found, sessions, report = loaded(log)
    assert [item.id for item in found] == list("abcd")
    assert sessions == [Session(("a", "b", "c"), "d")]
    assert (report.malformed, report.warnings) == (0, 0)
    (told,) = (remark for remark in report.remarks if " the header" in remark)
    assert told.startswith(f"{log}: 2 more rows repeat the header")


def test_a_header_between_items_is_no_item(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "id,title,price", "1,Tea,3", "id,title,price", "2,Pot,5")
    log = table(tmp_path / "log.csv", "user,item", "ann,1", "ann,2")
    for found, _, report in (loaded(items), loaded(log, items=items)):
        assert [item.title for item in found] == ["Tea", "Pot"]
        assert report.malformed == 0
        assert sum("1 more row repeats the header" in remark for remark in report.remarks) == 1


def test_a_row_that_only_resembles_the_header_is_a_row(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "id,title,price", "id,title,3", "ID,Title,Price", "x,id,")
    found, _, report = loaded(items)
    assert [item.id for item in found] == ["id", "ID", "x"]
    assert not any(" the header" in remark for remark in report.remarks)


def test_a_header_in_another_order_is_malformed(tmp_path: Path) -> None:
    log = table(tmp_path / "log.csv", "user,item", "ann,a", "item,user", "ann,b")
    assert column_names(log) == ["user", "item"]
    found, sessions, report = loaded(log)
    assert [item.id for item in found] == ["a", "b"]
    assert sessions == [Session(("a",), "b")]
    assert report.malformed == 1
    (note,) = map(str, report.first_malformed)
    assert note.startswith(f"{log}:3: is a header with the columns in another order")


# Ids in two spellings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["7", "8", "7.0", "8.0"], ["7", "8", "7", "8"]),
        (["7.0", "8.0", "7", "9"], ["7", "8", "7", "9"]),
        (["7.0", "8.0"], ["7", "8"]),
        (["100000", "7", "1e+05"], ["100000", "7", "100000"]),
        (["-1", "7", "-1.0"], ["-1", "7", "-1"]),
        (["7", "007", "7.0"], ["7", "007", "7"]),
        (["1.0", "1.1", "1"], ["1.0", "1.1", "1"]),  # versions
        (["7", "7.0", "A7"], ["7", "7.0", "A7"]),
        (["007", "7"], ["007", "7"]),
        (["7.0", "8", "9"], ["7.0", "8", "9"]),
        (["1e5", "100000"], ["1e5", "100000"]),
    ],
)
def test_whole_numbers_that_a_program_wrote_as_floats_are_one(
    tmp_path: Path, written: list[str], read: list[str]
) -> None:
    of_items = table(tmp_path / "log.csv", "user,item", *(f"ann,{id_}" for id_ in written))
    found, (session,), report = loaded(of_items)
    assert [item.id for item in found] == list(dict.fromkeys(read))
    assert [*session.history, session.target] == read
    of_users = table(
        tmp_path / "log.csv", "user,item", *(f"{id_},{n}" for id_ in written for n in "ab")
    )
    _, sessions, again = loaded(of_users)
    assert len(sessions) == len(set(read))
    assert report.malformed == again.malformed == 0


def test_a_catalogue_tells_what_its_spellings_mean(tmp_path: Path) -> None:
    log = table(tmp_path / "log.csv", "user,item", "ann,7.0", "ann,8", "ann,7")
    reader = open_reader("table", log, TableOptions())
    for known, chosen in (
        ({"7", "7.0", "8"}, ["7.0", "8", "7"]),
        ({"007", "8.0"}, ["007", "8.0", "007"]),
        ({"7", "07", "8"}, ["7", "8", "7"]),
    ):
        (session,) = reader.sessions(ReadReport(), known)
        assert [*session.history, session.target] == chosen


def test_an_item_that_is_listed_in_two_spellings_is_listed_twice(tmp_path: Path) -> None:
    items = table(tmp_path / "items.csv", "id,title", "7.0,Tea", "7,Cup", "8,Pot", "9.0,Jug")
    log = table(tmp_path / "log.csv", "user,item", "ann,7", "ann,9")
    for found, _, report in (loaded(items), loaded(log, items=items)):
        assert [item.id for item in found] == ["7.0", "8", "9.0"]
        assert [str(note) for note in report.first_malformed] == [
            f"{items}:3: id '7' was given before as '7.0'"
        ]


@pytest.mark.parametrize("ids", [["1.0", "1", "1.1"], ["07", "7"], ["7", "7.0", "x"]])
def test_items_of_other_ids_are_not_the_same(tmp_path: Path, ids: list[str]) -> None:
    items = table(tmp_path / "items.csv", "id,title", *(f"{id_},Tea" for id_ in ids))
    found, _, report = loaded(items)
    assert ([item.id for item in found], report.malformed) == (ids, 0)


# Items of logs


def test_a_title_may_stand_in_any_row_of_an_item(tmp_path: Path) -> None:
    rows = [f"ann,a,{START},view,", "ann,a,soon,view,Tea", f"ann,b,{START + 1},view,"]
    more = [f"bob,b,{START},impression,Pot", f"bob,c,{START},impression,Cup"]
    log = table(tmp_path / "log.csv", "user,item,time,event,name", *rows, *more)
    found, _, report = loaded(log, title="name", events=("view",))
    assert [(item.id, item.title) for item in found] == [("a", "Tea"), ("b", "Pot")]
    assert report.malformed == 1


async def test_beside_a_file_of_sessions_any_row_of_a_log_has_an_item(
    tmp_path: Path, domain: str
) -> None:
    rows = ["ann,a,01/02/2020", ",b,01/02/2020", "bob,c,", "bob,d,soon"]
    log = table(tmp_path / "log.csv", "user,item,time", *rows)
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text('{"history": ["a", "b"], "target": "c"}\n')
    found = await load_files(Context(domain=domain), "table", log, sessions=[sessions])
    assert (found.items, found.sessions, found.malformed) == (4, 1, 0)
