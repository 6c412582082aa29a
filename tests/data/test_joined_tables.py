"""Tables that were joined from several files: headers in the middle, and ids in two spellings."""

from pathlib import Path

import pytest
from own_tables import START, loaded, table
from re2llm.data.table_rows import column_names
from re2llm.errors import InputError
from re2llm.records import Session

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


def test_a_header_in_another_order_is_refused(tmp_path: Path) -> None:
    log = table(tmp_path / "log.csv", "user,item", "ann,a", "item,user", "b,ann")
    assert column_names(log) == ["user", "item"]
    with pytest.raises(InputError, match=r"log\.csv:3: is a header with the columns in another"):
        loaded(log)
