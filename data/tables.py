"""Rows of tab- and comma-separated files, and checks of their columns."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..records import counted
from .files import read_lines
from .malformed import ReadReport, RowError, shown

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,3})?"
)
"""What Python reads as a number, except `4_5`, which Python reads as 45."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a data set writes its tables: one row per line, a header first.

    Attributes:
        delimiter: What separates the columns.
        quoted: Whether a column may be in double quotes, as in CSV.
        fallback: The encoding of lines that are not UTF-8; if `None`, those are malformed.
    """

    delimiter: str
    quoted: bool
    fallback: str | None = None

    def split(self, line: str) -> list[str]:
        """Return a line's columns, or raise `RowError` if the quotes do not match."""
        if not self.quoted or '"' not in line:
            return line.split(self.delimiter)
        try:
            return next(csv.reader([line], delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            raise RowError(f"is not a row of comma-separated values ({error})") from error


def read_table(
    path: Path, report: ReadReport, header: Sequence[str], table: TableFormat
) -> Iterator[tuple[int, list[str]]]:
    """Stream a table's rows that have the right number of columns, with their line numbers.

    The header may be absent, as in slices of the HetRec files: a first line that starts with a
    number is a row.

    Args:
        report: Gets the malformed rows and the bytes read.
        header: The columns' names, in order; the first column holds numbers.

    Raises:
        InputError: The file cannot be read, or its header is another one.
    """
    for number, line in read_lines(path, report, fallback=table.fallback, by_rows=True):
        try:
            columns = table.split(line)
            if number == 1 and not columns[0].isdecimal():
                _check_header(path, line, header, table)
                continue
            if len(columns) != len(header):
                raise RowError(f"has {counted(len(columns), 'column')} instead of {len(header)}")  # noqa: TRY301
            if not columns[0].isdecimal():
                raise RowError(f"{header[0]} {shown(columns[0])} is not a number")  # noqa: TRY301
            yield number, columns
        except RowError as error:
            report.add(path, number, str(error))


def first_columns(path: Path, table: TableFormat) -> Iterator[str]:
    """Stream the first column of each line, header and malformed rows included."""
    for _, line in read_lines(path, ReadReport(), fallback=table.fallback):
        yield line.partition(table.delimiter)[0].strip('"')


def whole_number(text: str, name: str, low: int, high: int) -> int:
    """Return a column's whole number, or raise `RowError` if it is not between `low` and `high`."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise RowError(f"{name} {shown(text)} is not a whole number")
    value = int(text)
    if not low <= value <= high:
        raise RowError(f"{name} {value} is not between {low} and {high}")
    return value


def check_rating(text: str) -> None:
    """Raise `RowError` if a rating is not a number; sessions need its time, not its value."""
    rating_value(text)


def rating_value(text: str) -> float:
    """Return a rating, or raise `RowError` if it is not a finite number."""
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise RowError(f"rating {shown(text)} is not a number")
    return value


def _check_header(path: Path, line: str, header: Sequence[str], table: TableFormat) -> None:
    # The official movie_directors.dat separates two of its names by a space instead of a tab.
    names = [name.strip('" ') for name in re.split(rf"{re.escape(table.delimiter)}| ", line)]
    if names != list(header):
        raise InputError(
            f"{path}:1",
            f"has the header {shown(line)}.",
            f"The columns must be {', '.join(header)}.",
        )
