"""Rows of a user's own table as columns by name: CSV with any delimiter, Parquet, or JSON Lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, dropwhile, islice
from pathlib import Path

from ..errors import InputError
from ..records import counted
from .cells import NO_FACT, NOTHING
from .columns import rarer_columns
from .files import read_lines
from .json_rows import as_object, read_json_lines
from .malformed import ReadReport, shown
from .parquet_rows import Row, is_parquet, parquet_columns, parquet_rows
from .separated_rows import excel_text, split_rows

_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r"sep=(.|\\t)", re.IGNORECASE)
_FIRST_ROWS = 1_000
"""The columns of JSON Lines are looked for in this many rows."""
_USUALLY = 0.5
"""The share of these rows that must hold a key to make it a column."""
_MOST_COLUMNS = 10_000
_BEFORE_A_NAME = (" ", "\ufeff")
_OTHER_ORDER = (
    "is a header with the columns in another order than in the first line, which the rows below it "
    "may have, too"
)
_REMEDY = "The first line must name each column, and no two alike."


def read_rows(
    path: Path,
    report: ReadReport,
    columns: Collection[str] | None = None,
    *,
    useful: Collection[str] = (),
) -> Iterator[tuple[int, Row]]:
    """Stream a table's rows with their line numbers; in a Parquet file, rows count from 1.

    A row with a wrong number of columns is reported and left out. A row of CSV that repeats the
    header is left out, and a remark counts such rows. A missing value is `None` in
    Parquet and JSON, and an empty text in CSV.

    Args:
        path: A Parquet file, `.jsonl`, or CSV with a header; the latter two may be compressed.
        columns: The columns that are needed, or `None` for all; only Parquet leaves out others.
        useful: Further columns, whose values may be such as cannot be read.

    Raises:
        InputError: The file cannot be read.
    """
    if is_parquet(path):
        return parquet_rows(path, report, columns, useful=useful)
    if _is_json(path):
        return _json_rows(path, report)
    return _csv_rows(path, report)


def column_names(path: Path, named: Iterable[str | None] = ()) -> list[str]:
    """Return the names of a table's columns.

    In JSON Lines, these are the keys of the first row, the keys that half of the first rows have,
    and named keys that any row has. Of two usual names for the same, a rarer one is left out.

    Args:
        named: The columns that the user names; `None` is left out.

    Raises:
        InputError: The file cannot be read, or has no header.
    """
    if is_parquet(path):
        names = parquet_columns(path)
        _require_unlike(str(path), names)
        return names
    if _is_json(path):
        return _json_keys(path, set(filter(None, named)))
    return [name for name in _header(path)[0] if name]


def no_fact_in(path: Path) -> Collection[str]:
    """Return the texts that stand for no fact in a table; `NA` does so in CSV alone.

    Raises:
        InputError: The file cannot be read.
    """
    return NOTHING if is_parquet(path) or _is_json(path) else NO_FACT


def _json_keys(path: Path, named: Collection[str]) -> list[str]:
    report = ReadReport()
    rows = (row for _, row in _json_rows(path, report))
    first = next(rows, None)
    if first is None:
        report.raise_if_malformed()
        return []
    held, read = Counter[str](), 0
    for row in chain([first], islice(rows, _FIRST_ROWS - 1)):
        held.update({key: int(value is not None) for key, value in row.items()})
        read += 1
    rarer = rarer_columns(held)
    keys = [
        key
        for key, n in held.items()
        if key in named or (key not in rarer and (key in first or n >= read * _USUALLY))
    ]
    sought = [name for name in named if name not in held]
    while sought and (row := next(rows, None)) is not None:
        keys += [name for name in sought if name in row]
        sought = [name for name in sought if name not in row]
    return keys


def _is_json(path: Path) -> bool:
    """Return whether a file holds JSON, whatever its name."""
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        return True
    return any(
        line.lstrip().startswith(("{", "[{")) or line.strip() == "["
        for _, line in islice(_peeked(path), 1)
    )


def _peeked(path: Path) -> Iterator[tuple[int, str]]:
    return read_lines(path, ReadReport())


def _csv_rows(path: Path, report: ReadReport) -> Iterator[tuple[int, Row]]:
    names, delimiter, header = _header(path)
    lines = dropwhile(lambda line: line[0] <= header, read_lines(path, report))
    known, again = set(names), 0
    for number, row in split_rows(path, report, lines, delimiter, len(names)):
        if row[0] in known or row[0][:1] in _BEFORE_A_NAME:
            cells = [_named(cell) for cell in row]
            if all(cell == name for cell, name in zip(cells, names, strict=True) if name):
                again += 1
                continue
            if len(names) > 1 and sorted(cells) == sorted(names):
                report.add(path, number, _OTHER_ORDER)
                continue
        yield number, {name: cell for name, cell in zip(names, row, strict=True) if name}
    if again:
        told = f"{counted(again, 'more row')} {'repeats' if again == 1 else 'repeat'} the header"
        report.remarks.append(f"{path}: {told}, as in joined files; left out.")


def _named(cell: str) -> str:
    """Return the name of a column in a header; a joined file may begin with a byte-order mark."""
    text = cell.strip()
    return text.removeprefix("\ufeff").strip('"').strip() if text[:1] == "\ufeff" else text


def _header(path: Path) -> tuple[list[str], str, int]:
    """Return a table's names of columns, its delimiter and its header's line.

    The name of a column without one, such as an index, is an empty text.

    Raises:
        InputError: There is no header, or it cannot be read.
    """
    report = ReadReport()
    lines = read_lines(path, report)
    number, line = next(lines, (1, ""))
    told = _SEPARATOR.fullmatch(line.strip('"'))
    if told:  # for Excel
        number, line = next(lines, (number + 1, ""))
    for lost in report.first_malformed[:1]:  # or the first row would be taken for it
        raise InputError(
            lost.place, f"{lost.reason}.", "It is the header, which names the columns."
        )
    delimiter = told[1].replace("\\t", "\t") if told else max(_DELIMITERS, key=line.count)
    try:
        rows = list(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        rows = []
    names = [excel_text(name.strip()) for row in rows[:1] for name in row]
    named = [name for name in names if name]
    if not named or (not all(names) and len(names) == 1):
        raise InputError(f"{path}:{number}", f"is no header: {shown(line)}.", _REMEDY)
    _require_unlike(f"{path}:{number}", named)
    return names, delimiter, number


def _require_unlike(place: str, names: list[str]) -> None:
    if len(names) > _MOST_COLUMNS:
        problem = f"is no header: it names more than {_MOST_COLUMNS:,} columns."
        raise InputError(place, problem, _REMEDY)
    twice, times = Counter(names).most_common(1)[0]
    if times > 1:
        problem = f"is no header: it names the column {shown(twice)} twice."
        raise InputError(place, problem, _REMEDY)


def _json_rows(path: Path, report: ReadReport) -> Iterator[tuple[int, Row]]:
    for line, value in read_json_lines(path, report):
        row = as_object(value)
        if row is None:
            report.add(path, line, f"{shown(value)} is not an object")
        else:
            yield line, row
