"""Rows of Parquet files, by pyarrow if it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .malformed import ReadReport, shown
from .parquet_values import as_text, hold_bytes

Row = Mapping[str, object]

_MAGIC = b"PAR1"
_BATCH = 10_000
_FAULTS = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What pyarrow raises for damage, and for a value that Python cannot hold."""


def is_parquet(path: Path) -> bool:
    """Return whether a file is a Parquet file, whatever its name."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:  # the reader reports it
        return False


def parquet_columns(path: Path) -> list[str]:
    """Return the names of the columns, of which two may be alike.

    Raises:
        InputError: The file is damaged, or pyarrow is not installed.
    """
    return [str(name) for name in _open_parquet(path).schema_arrow.names]


def parquet_rows(
    path: Path,
    report: ReadReport,
    columns: Collection[str] | None,
    *,
    useful: Collection[str] = (),
) -> Iterator[tuple[int, Row]]:
    """Stream the rows with their numbers, from 1; what is not known is `None`.

    Args:
        columns: The columns that are needed, or `None` for all.
        useful: Further columns; what cannot be read of them is `None`.

    Raises:
        InputError: The file is damaged, or pyarrow is not installed.
    """
    table = _open_parquet(path)
    before, size = report.bytes_read, path.stat().st_size
    total = max(1, int(table.metadata.num_rows))
    wanted = None if columns is None else [*columns, *useful]
    number = 0
    batches = table.iter_batches(batch_size=_BATCH, columns=wanted)
    while True:
        try:
            batch = next(batches, None)
        except _FAULTS as error:
            raise _damaged(path, error) from error
        if batch is None:
            return
        for row in _rows_of(batch, useful):
            number += 1
            if isinstance(row, str):
                report.add(path, number, row)
            else:
                yield number, row
        report.bytes_read = before + size * number // total


def _rows_of(batch: Any, useful: Collection[str]) -> Iterable[Row | str]:
    """Return the rows of a batch; a row that Python cannot hold is a text that says why."""
    batch = _in_microseconds(batch)
    try:
        rows = batch.to_pylist()
    except _FAULTS:
        rows = (_row_at(batch, place, useful) for place in range(batch.num_rows))
    return map(as_text, rows) if hold_bytes(batch.schema) else rows


def _in_microseconds(batch: Any) -> Any:
    """Return a batch without nanoseconds: Python's own times have none."""
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


def _row_at(batch: Any, place: int, useful: Collection[str]) -> Row | str:
    row: dict[str, object] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = column[place].as_py()
        except _FAULTS as error:
            if name in useful:
                row[name] = None
                continue
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
