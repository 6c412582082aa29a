"""Files as spreadsheets, programs and people write them: read right, or refused in one line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from re2llm.data.cells import cell_value, plain_number
from re2llm.data.interactions import TableOptions, TableReader
from re2llm.data.json_rows import json_lines
from re2llm.data.jsonl import JsonlReader
from re2llm.data.malformed import ReadReport
from re2llm.data.times import timestamp
from re2llm.errors import InputError
from re2llm.flattening import MOST_VALUES

ITEMS = "id,title,kind\n1,Heat,crime\n2,Alien,space\n3,Up,\n"
LOG = "user,item\na,1\na,2\na,3\n"
LINES = '{"id": 1, "title": "Heat"}\n{"id": 2, "title": "Alien"}\n'


def read(folder: Path, items: bytes, log: bytes = LOG.encode(), name: str = "items.csv"):
    (folder / name).write_bytes(items)
    (folder / "log.csv").write_bytes(log)
    reader = TableReader(folder / "log.csv", TableOptions(items=folder / name))
    report = ReadReport()
    found = list(reader.items(report))
    return found, list(reader.sessions(report, {item.id for item in found})), report


@pytest.mark.parametrize(
    "items",
    [
        ITEMS,
        "\ufeff" + ITEMS,
        ITEMS.replace("\n", "\r\n"),
        ITEMS.replace("\n", "\n\n"),
        ITEMS.replace(",", ";"),
        "sep=;\n" + ITEMS.replace(",", ";"),
        ITEMS.replace("id,title", " ID ,Title "),
        "\n".join(f"{line}," for line in ITEMS.splitlines()),
        ITEMS.replace("crime\n", "crime,,\n"),
        "\n".join(f"{n},{line}" for n, line in enumerate(ITEMS.splitlines())).replace("0,", ",", 1),
        ITEMS + ",,\n , ,\n",
        ITEMS.replace("id,", "id,note,")
        .replace("\n1,", "\n1,x,")
        .replace("\n2,", "\n2,NaN,")
        .replace("\n3,", "\n3,<NA>,"),
    ],
    ids=[
        *("plain", "mark", "CRLF", "blank lines", "semicolons", "sep", "case and blanks"),
        *("unnamed at the end", "longer rows", "index", "empty rows", "gaps"),
    ],
)
def test_a_table_is_read_however_it_is_written(tmp_path: Path, items: str) -> None:
    found, sessions, report = read(tmp_path, items.encode())
    assert [(item.id, item.title) for item in found] == [("1", "Heat"), ("2", "Alien"), ("3", "Up")]
    attributes = {name.lower(): value for name, value in found[1].attributes.items()}
    assert attributes == {"kind": "space"}
    assert [(*one.history, one.target) for one in sessions] == [("1", "2", "3")]
    assert report.malformed == 0


@pytest.mark.parametrize("name", ["items.csv", "items.json", "items.ndjson", "items.jsonl"])
@pytest.mark.parametrize("packed", [False, True])
def test_json_lines_are_read_whatever_the_name(tmp_path: Path, name: str, packed: bool) -> None:
    content = LINES.encode()
    log = b"user,item\na,1\na,2\n"
    found, _, report = read(tmp_path, gzip.compress(content) if packed else content, log, name)
    assert [item.title for item in found] == ["Heat", "Alien"]
    assert report.malformed == 0


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        (ITEMS.encode("utf-16"), "is UTF-16 text", "iconv -f utf-16"),
        (ITEMS.encode("utf-16-le"), "is UTF-16 text", "iconv"),
        (b"\xfe\xff" + ITEMS.encode("utf-16-be"), "is UTF-16 text", "iconv"),
        (ITEMS.encode("utf-32"), "is UTF-32 text", "iconv -f utf-32"),
        (b"items.csv".ljust(257, b"\0") + b"ustar\0" + bytes(249), "is a tar archive", "Unpack"),
        (bytes(600), "binary", "text file"),
        (ITEMS.replace("\n", "\r").encode(), "CR alone", "tr "),
        (b"PK\x03\x04" + bytes(range(256)), "is a spreadsheet or a ZIP archive", "CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(200), "is a spreadsheet of Excel", "CSV"),
        (b"BZh91AY" + bytes(range(200)), "compressed by bzip2", "gzip"),
        (b"\xfd7zXZ\0" + bytes(range(200)), "compressed by xz", "gzip"),
        (b"\n<!DOCTYPE html>\n<html>x</html>", "is a web page", "Download"),
        (b"SQLite format 3\0" + bytes(200), "is a database of SQLite", "CSV"),
        (ITEMS.replace("kind", "title").encode(), "names the column 'title' twice", "no two alike"),
        (b"1,Heat,1995\n2,Alien,1979\n", "Name one as `id`", "write a header above it"),
        (b'[{"id": 1, "title": "Heat"}]', "is one JSON list", "jq -c '.[]'"),
        (b"", "is empty", "text file"),
    ],
)
def test_what_is_no_table_is_refused_with_what_it_is(
    tmp_path: Path, content: bytes, problem: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    said = str(caught.value)
    assert problem in said
    assert remedy in said
    assert str(tmp_path / "items.csv") in said
    assert "\n" not in said


def test_a_line_in_latin_1_says_how_to_convert_it(tmp_path: Path) -> None:
    _, _, report = read(tmp_path, ITEMS.replace("Alien", "Am\u00e9lie").encode("latin-1"))
    assert any("items.csv:3" in note and "iconv -f latin1" in note for note in report.notes)


def test_entities_are_resolved_in_facts_as_in_titles(tmp_path: Path) -> None:
    items = "id,title,by,tags\n1,M&uuml;ll &amp; Co,A. M&uuml;ller,R&D|Q&amp;A|&#233;t&#xe9;\n"
    (item,), _, _ = read(tmp_path, items.encode())
    assert item.title == "M\u00fcll & Co"
    facts = {"by": "A. M\u00fcller", "tags": ["R&D", "Q&A", "\u00e9t\u00e9"]}
    assert item.attributes == facts
    row = {"id": 1, "title": "T", "by": "M&uuml;ller", "n": 5, "ok": True, "x": "a & b; c"}
    row |= {"gap": "&nbsp;", "gaps": ["&nbsp; "]}
    (item,), _, _ = lines(tmp_path, json.dumps(row) + "\n")
    assert item.attributes == {"by": "M\u00fcller", "n": 5, "ok": True, "x": "a & b; c"}


def test_a_large_cell_is_read(tmp_path: Path) -> None:
    found, _, report = read(tmp_path, ITEMS.replace("space", "x" * 200_000).encode())
    assert len(str(found[1].attributes["kind"])) == 200_000
    assert report.malformed == 0


@pytest.mark.parametrize(
    ("ids", "chosen"),
    [
        (["1", "2", "3"], ["1.0", "2.0", "3.0"]),
        (["1.0", "2.0", "3.0"], ["1", "2", "3"]),
        (["001", "002", "1000"], ["1", "2", "1e3"]),
        (["1", "2", "1500"], ["01", "2.00", "1.5E3"]),
    ],
)
def test_an_id_is_found_however_a_program_wrote_its_number(
    tmp_path: Path, ids: list[str], chosen: list[str]
) -> None:
    items = "id,title\n" + "".join(f"{id_},Title {n}\n" for n, id_ in enumerate(ids))
    log = "user,item\n" + "".join(f"a,{id_}\n" for id_ in chosen)
    _, (session,), report = read(tmp_path, items.encode(), log.encode())
    assert [*session.history, session.target] == ids
    assert report.malformed == 0


def test_a_number_that_two_ids_share_is_not_guessed(tmp_path: Path) -> None:
    _, _, report = read(tmp_path, b"id,title\n01,A\n001,B\n2,C\n", b"user,item\na,1\na,2\n")
    assert any("item '1' is not in the catalogue" in note for note in report.notes)


@pytest.mark.parametrize("gap", ["NaN", "nan", "<NA>", "null", "None", "N/A"])
def test_a_gap_is_no_id_and_no_title(tmp_path: Path, gap: str) -> None:
    items = f"id,title\n{gap},Heat\n2,{gap}\n3,Up\n"
    found, _, report = read(tmp_path, items.encode(), f"user,item\na,3\n{gap},3\n".encode())
    assert [item.id for item in found] == ["3"]
    assert report.malformed == 3


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("a|b", ["a", "b"]), ('["a","b"]', ["a", "b"]), ("['a', 'b']", ["a", "b"])),
        *(("[]", []), ("[1, 2]", [1, 2]), ("[Remastered]", "[Remastered]"), ("[oops", "[oops")),
        *(("1.50", 1.5), ("007", "007"), ("-3", -3), (" x ", "x"), ("nan", None)),
        *(("['a b'\n 'c']", ["a b", "c"]), ("[1 2]", ["1", "2"]), ("[1 ... 9]", "[1 ... 9]")),
        *(("{red,new}", ["red", "new"]), ("{new}", ["new"]), ("{}", {}), ("{a|b}", ["a|b"])),
        ('{"a, b",NULL,"NULL","x\\"\\\\"}', ["a, b", None, "NULL", 'x"\\']),
        *(("{{1,2},{3,4}}", [["1", "2"], ["3", "4"]]), ("{'a', 'b'}", ["a", "b"])),
        *(('{"a": {"b": [1]}}', {"a": {"b": [1]}}), ("{'a': None}", {"a": None})),
        *((text, text) for text in ("{a,,b}", '{"a', "{a} or {b}", '{"a": NaN}', "{", "[..]")),
        ("{" * 5_000 + "}" * 5_000, "{" * 5_000 + "}" * 5_000),
        ("[" * 5_000 + "]" * 5_000, "[" * 5_000 + "]" * 5_000),
        ("['a'," + "'a'," * 10_000 + "]", "['a'," + "'a'," * 10_000 + "]"),
    ],
)
def test_a_cell_is_what_it_says(cell: str, value: object) -> None:
    assert cell_value(cell) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("7", "7"), ("007", "7"), ("7.0", "7"), ("7e0", "7"), ("1e3", "1000"), ("1.5e3", "1500")),
        *(("1.5", None), ("1.55e1", None), ("x7", None), ("", None), ("0", "0"), ("1e99", None)),
    ],
)
def test_a_whole_number_has_one_form(text: str, number: str | None) -> None:
    found = plain_number(text)
    assert found == number if text != "1e99" else len(found or "") == 100


@pytest.mark.parametrize(
    "written",
    [
        *("2023-12-31", "2023/12/31", "2023.12.31", "20231231", "2023-12-31 00:00:00 UTC"),
        *("Sun, 31 Dec 2023 00:00:00 GMT", "1703980800", "1.7039808e9", "1703980800000"),
    ],
)
def test_a_date_is_read_in_any_clear_form(written: str) -> None:
    assert timestamp(written, "time") == 1_703_980_800


@pytest.mark.parametrize("written", ["31/12/2023", "12/31/2023", "01/02/2024", "31.12.2023"])
def test_a_date_without_a_clear_order_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="year first"):
        timestamp(written, "time")


# JSON Lines


def lines(folder: Path, items: str, sessions: str | None = None):
    (folder / "items.jsonl").write_text(items)
    if sessions is not None:
        (folder / "sessions.jsonl").write_text(sessions)
    reader, report = JsonlReader(folder), ReadReport()
    found = list(reader.items(report))
    return found, list(reader.sessions(report)), report


@pytest.mark.parametrize(
    "items",
    [
        LINES,
        "\ufeff" + LINES.replace("\n", "\r\n"),
        LINES.replace("}\n", "},\n"),
        LINES.replace("id", "ID").replace("title", " Title "),
        LINES.replace("1,", "1.0,").replace("\n", "\n\n"),
    ],
)
def test_lines_are_read_however_they_are_written(tmp_path: Path, items: str) -> None:
    found, (session,), report = lines(tmp_path, items, '{"History": [1], "Target": 2}\n')
    assert [(item.id, item.title, item.attributes) for item in found] == [
        *(("1", "Heat", {}), ("2", "Alien", {})),
    ]
    assert (session.history, session.target) == (("1",), "2")
    assert (report.malformed, report.warnings) == (0, 0)


@pytest.mark.parametrize("kind", ["items", "sessions"])
@pytest.mark.parametrize(
    ("around", "problem"),
    [
        ("[{}]", "is one JSON list"),
        ("[\n{},\n{}\n]", "is one JSON list"),
        ('{{"rows": [{}]}}', "a list in 'rows'"),
        ("pretty", "over several lines"),
    ],
)
def test_other_json_is_refused_with_the_command_that_converts_it(
    tmp_path: Path, kind: str, around: str, problem: str
) -> None:
    row = '{"id": 1, "title": "Heat"}' if kind == "items" else '{"history": [1], "target": 2}'
    pretty = row.replace("{", "{\n").replace(", ", ",\n").replace("}", "\n}")
    text = pretty if around == "pretty" else around.format(row, row)
    given = (text, None) if kind == "items" else (LINES, text)
    with pytest.raises(InputError) as caught:
        lines(tmp_path, *given)
    assert problem in caught.value.problem
    assert "jq -c" in caught.value.remedy
    assert caught.value.field == str(tmp_path / f"{kind}.jsonl")


def test_a_row_without_its_keys_says_which_it_has(tmp_path: Path) -> None:
    _, _, report = lines(tmp_path, '{"item_id": 1, "name": "Heat"}\n', '{"items": [1]}\n')
    assert [note.reason for note in report.first_malformed] == [
        "has no id (it has 'item_id', 'name')",
        "has no history (it has 'items')",
    ]


def test_a_first_row_with_a_list_of_objects_is_a_row_among_others(tmp_path: Path) -> None:
    rows = '{"asin": 1, "title": "Heat", "cast": [{"name": "Al"}]}\n{"asin": 2, "title": "Up"}\n'
    file = tmp_path / "meta.jsonl"
    file.write_text(rows)
    assert [number for number, _ in json_lines(file, ReadReport())] == [1, 2]
    file.write_text(rows.splitlines()[0])
    with pytest.raises(InputError, match="is one JSON object with a list in 'cast'"):
        list(json_lines(file, ReadReport()))


SESSION = '{"history": [1], "target": 1}'
MANY = 100_000
HUGE: dict[str, Any] = {
    "keys": {f"k{n}": n for n in range(MANY)},
    "attributes": {"attributes": {f"k{n}": "x" for n in range(MANY)}},
    "nested": {"a": {str(n): {"b": [n]} for n in range(MANY)}},
    "a list": {"a": list(range(MANY))},
    "lists": {f"k{n}": ["x"] * 900 for n in range(100)},
    "names": {f"{n}" * 10_000: n for n in range(100)},
    "text": {f"k{n}": "x" * 10_000 for n in range(100)},
}


@pytest.mark.parametrize("given", HUGE.values(), ids=HUGE)
def test_an_item_holds_only_so_much(tmp_path: Path, given: dict[str, Any]) -> None:
    row = {"id": 1, "title": "Heat", "year": 1995, **given}
    (item,), _, report = lines(tmp_path, json.dumps(row) + "\n", SESSION)
    listed = [value for value in item.attributes.values() if isinstance(value, list)]
    assert item.attributes["year"] == 1995
    assert len(item.attributes) + sum(map(len, listed)) <= MOST_VALUES + len(listed)
    assert len(json.dumps(item.attributes)) < 300_000
    assert report.malformed == 0
    assert any("ignored" in note.reason for note in report.first_warnings)


def test_a_table_of_many_columns_is_held_within_limits(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(9_000)]
    table = f"id,title,{','.join(names)}\n1,Heat,{','.join(names)}\n"
    (item,), _, report = read(tmp_path, table.encode(), b"user,item\na,1\na,1\n")
    assert list(item.attributes) == names[:MOST_VALUES]
    assert any("'c1000'" in note.reason for note in report.first_warnings)


def test_what_an_item_may_hold_is_kept(tmp_path: Path) -> None:
    facts = {f"k{n}": n for n in range(400)} | {"tags": [f"tag {n}" for n in range(500)]}
    (item,), _, report = lines(tmp_path, json.dumps({"id": 1, "title": "Heat", **facts}), SESSION)
    assert item.attributes == facts
    assert report.warnings == 0
