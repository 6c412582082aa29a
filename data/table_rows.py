"""Rows of a user's own table as columns by name: CSV with any delimiter, Parquet, or JSON Lines."""

from __future__ import annotations

import csv
import importlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any

from ..errors import InputError
from .files import read_lines
from .json_rows import as_object, read_json_lines
from .malformed import ReadReport, shown
from .parquet_values import as_text, hold_bytes
from .separated_rows import split_rows

Row = Mapping[str, object]

_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r"sep=(.|\\t)", re.IGNORECASE)
_PARQUET_MAGIC = b"PAR1"
_BATCH = 10_000
_FIRST_ROWS = 1_000
"""Of JSON Lines, in which the columns are looked for."""
_USUALLY = 0.1
"""In so many of them a column is: one that is rarer is not what all rows are about."""
_MOST_COLUMNS = 10_000
_FAULTS = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What pyarrow raises for damage, and for a value that Python cannot hold."""
_REMEDY = "The first line must name each column, and no two alike."


def read_rows(
    path: Path, report: ReadReport, columns: Collection[str] | None = None
) -> Iterator[tuple[int, Row]]:
    """Stream a table's rows with their line numbers; in a Parquet file, rows count from 1.

    A row with a wrong number of columns is reported and left out. What a Parquet file or JSON does
    not know is `None`; in CSV it is an empty text.

    Args:
        path: A Parquet file, `.jsonl`, or CSV with a header; the latter two may be compressed.
        columns: Those that are needed, or `None` for all; other formats than Parquet give all.

    Raises:
        InputError: The file cannot be read.
    """
    if is_parquet(path):
        return _parquet_rows(path, report, columns)
    if _is_json(path):
        return _json_rows(path, report)
    return _csv_rows(path, report)


def column_names(path: Path, named: Iterable[str | None] = ()) -> list[str]:
    """Return the names of a table's columns.

    Of JSON Lines, these are the keys of the first row, those that a tenth of the first rows has,
    and those that are named and that any row has.

    Args:
        named: By the user; `None` is left out.

    Raises:
        InputError: The file cannot be read, or has no header.
    """
    if is_parquet(path):
        names = [str(name) for name in _open_parquet(path).schema_arrow.names]
        _require_unlike(str(path), names)
        return names
    if _is_json(path):
        return _json_keys(path, set(filter(None, named)))
    return [name for name in _header(path)[0] if name]


def _json_keys(path: Path, named: Collection[str]) -> list[str]:
    report = ReadReport()
    rows = (row for _, row in _json_rows(path, report))
    first = next(rows, None)
    if first is None:
        report.raise_if_malformed()
        return []
    held, read = Counter(list(first)), 1
    for row in islice(rows, _FIRST_ROWS - 1):
        held.update(list(row))
        read += 1
    keys = [key for key, n in held.items() if key in first or key in named or n >= read * _USUALLY]
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


def is_parquet(path: Path) -> bool:
    """Return whether a file is a Parquet file, whatever its name."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    except OSError:  # as whoever reads it says
        return False


def _csv_rows(path: Path, report: ReadReport) -> Iterator[tuple[int, Row]]:
    names, delimiter, header = _header(path)
    lines = dropwhile(lambda line: line[0] <= header, read_lines(path, report))
    for number, row in split_rows(path, report, lines, delimiter, len(names)):
        yield number, {name: cell for name, cell in zip(names, row, strict=True) if name}


def _header(path: Path) -> tuple[list[str], str, int]:
    """Return a table's names of columns, its delimiter and its header's line.

    A column without a name, as of an index, is called by an empty text.

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
    names = [name.strip() for row in rows[:1] for name in row]
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


def _parquet_rows(
    path: Path, report: ReadReport, columns: Collection[str] | None
) -> Iterator[tuple[int, Row]]:
    table = _open_parquet(path)
    before, size = report.bytes_read, path.stat().st_size
    total = max(1, int(table.metadata.num_rows))
    wanted = None if columns is None else list(columns)
    number = 0
    batches = table.iter_batches(batch_size=_BATCH, columns=wanted)
    while True:
        try:
            batch = next(batches, None)
        except _FAULTS as error:
            raise _damaged(path, error) from error
        if batch is None:
            return
        for row in _rows_of(batch):
            number += 1
            if isinstance(row, str):
                report.add(path, number, row)
            else:
                yield number, row
        report.bytes_read = before + size * number // total


def _rows_of(batch: Any) -> Iterable[Row | str]:
    """Return the rows of a batch; of one with a value that Python cannot hold, why not."""
    batch = _in_microseconds(batch)
    try:
        rows = batch.to_pylist()
    except _FAULTS:
        rows = (_row_at(batch, place) for place in range(batch.num_rows))
    return map(as_text, rows) if hold_bytes(batch.schema) else rows


def _in_microseconds(batch: Any) -> Any:
    """Return a batch without nanoseconds, of which Python's own times have none."""
    arrow = importlib.import_module("pyarrow")
    for place, column in enumerate(batch.schema):
        kind = column.type
        if getattr(kind, "unit", "") != "ns":
            continue
        if arrow.types.is_timestamp(kind):
            kind = arrow.timestamp("us", tz=kind.tz)
        else:
            kind = arrow.duration("us") if arrow.types.is_duration(kind) else arrow.time64("us")
        cells = batch.column(place).cast(kind, safe=False)
        batch = batch.set_column(place, column.name, cells)
    return batch


def _row_at(batch: Any, place: int) -> Row | str:
    row: dict[str, object] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = column[place].as_py()
        except _FAULTS as error:
            return f"holds a value in {shown(name)} that cannot be read: {shown(str(error))}"
    return row


def _open_parquet(path: Path) -> Any:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            str(path),
            "is a Parquet file, and pyarrow, which reads it, is not installed.",
            "Install it with: pip install 're2llm[parquet]'. Or give a CSV file.",
        ) from error
    try:
        table = parquet.ParquetFile(path)
        _ = table.schema_arrow.names  # which fails for types and names that it does not know
    except _FAULTS as error:
        raise _damaged(path, error) from error
    return table


def _damaged(path: Path, error: Exception) -> InputError:
    problem = f"is a damaged Parquet file ({shown(str(error))})."
    return InputError(str(path), problem, "Write or download it again.")
