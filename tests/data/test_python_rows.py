"""Rows as Python writes them: the same as in JSON, and nothing of them is run."""

import gzip
import time
from pathlib import Path
from typing import Any

import pytest
from re2llm.data.interactions import TableOptions, TableReader
from re2llm.data.json_rows import read_json_lines
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader

VALUES: list[dict[str, Any]] = [
    {"id": 7, "title": "Heat", "new": True, "old": False, "gone": None, "price": 4.99},
    {"it's": 'He said "no"', "both": "'\"", "path": "C:\\new\\", "end": "\\"},
    {"text": "a\nb\tc\r\x1b\x85\u2122\U0001f3ae é", "None": "True, None", "deep": [{"a": [[]]}]},
    {"brackets": "}{][,:'", "empty": "", "list": [], "map": {}, "n": -1.5e-07, "big": 1e16},
]


def read(folder: Path, *lines: str) -> tuple[list[object], ReadReport]:
    file, report = folder / "rows.json.gz", ReadReport()
    file.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode()))
    return [value for _, value in read_json_lines(file, report)], report


def in_python_2(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{in_python_2(key)}: {in_python_2(held)}" for key, held in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(in_python_2, value))}]"
    return f"u{value!a}" if isinstance(value, str) else repr(value)


@pytest.mark.parametrize("write", [repr, ascii, in_python_2, lambda row: f" {row!r}, "])
def test_rows_that_python_wrote_are_read(tmp_path: Path, write) -> None:
    rows = [{"a": 1, **value} for value in VALUES]
    found, report = read(tmp_path, *map(write, rows))
    assert found == rows
    assert report.malformed == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{'a': __import__('os')}", "is not JSON"),
        ("{'a': (1, 2)}", "is not JSON"),
        ("{'a': {1, 2}}", "is not JSON"),
        ("{'a': 'b' 'c'}", "is not JSON"),
        ("{'a': b'c'}", "is not JSON"),
        ("{'a': 'b", "is not JSON"),
        ("{'a': 'b\\'}", "is not JSON"),
        ("{'a': 'b\\", "is not JSON"),
        ("{'", "is not JSON"),
        ("{'a': 1, 'a': 2}", "gives a key twice"),
        ("{'a': " + "9" * 400 + "}", "too large"),
        ("{'a': 1e999}", "too large"),
        ("{'a': nan}", "is not JSON"),
        ("{'a': '\\UFFFFFFFF'}", "is no character"),
        ("{'a': " + "[" * 100_000 + "]" * 100_000 + "}", "too large or too deep"),
        ("{'a': 9" + "*9" * 50_000 + "}", "is not JSON"),
    ],
)
def test_what_python_would_run_or_json_refuses_is_malformed(
    tmp_path: Path, line: str, said: str
) -> None:
    found, report = read(tmp_path, "{'a': 0}", line, "{'a': 2}")
    assert found == [{"a": 0}, {"a": 2}]
    assert said in report.first_malformed[0].reason


@pytest.mark.parametrize("part", ["\\'", "'", "\\", '"', "u'", "\\x4", "[", "'a', "])
def test_a_long_row_of_python_takes_no_long_time(tmp_path: Path, part: str) -> None:
    begun = time.perf_counter()
    read(tmp_path, "{'a': 0}", "{'a': '" + part * 200_000)
    assert time.perf_counter() - begun < 5


def test_a_lone_half_of_a_pair_is_replaced_as_in_json(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "{'a': '\\ud83d'}", "{'a': '\\ud83d\\ude00'}")
    assert found == [{"a": "\ufffd"}, {"a": "\U0001f600"}]


def test_tables_and_catalogues_of_python_rows_load(tmp_path: Path) -> None:
    items = [{"id": f"{n}", "title": f"Lost {n}", "genres": ["Action"]} for n in range(5)]
    log = [{"user_id": "u", "id": f"{n}", "timestamp": n} for n in range(5)]
    for name, rows in (("items.json", items), ("log.json", log)):
        (tmp_path / name).write_text("".join(f"{in_python_2(row)}\n" for row in rows))
    options = TableOptions(items=tmp_path / "items.json", item="id")
    reader, report = TableReader(tmp_path / "log.json", options), ReadReport()
    assert [item.title for item in reader.items(report)] == [row["title"] for row in items]
    (session,) = reader.sessions(report)
    assert (session.target, report.malformed) == ("4", 0)
    alone = open_reader("jsonl", tmp_path / "items.json")
    assert [item.id for item in alone.items(report)] == [row["id"] for row in items]
