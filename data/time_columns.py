"""The time of a log's rows, in one column or in two: the date, and the time of day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from functools import cached_property
from itertools import islice
from pathlib import Path

from .cells import is_given
from .columns import usual_columns
from .day_order import day_first_in, in_order
from .malformed import ReadReport
from .table_rows import Row, read_rows
from .times import timestamp

_FIRST_ROWS = 1_000
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s?[ap]\.?m\.?)?", re.IGNORECASE)
_MIDNIGHT = re.compile(r"[ T]0?0:00(?::00(?:\.0{1,9})?)?$")
"""As programs write a date that they hold as a moment."""


class TimeColumns:
    """Tells when a row was written.

    Args:
        path: The log.
        chosen: The column of the time. If it holds times of day alone, and another one has a usual
            name for a time, that one holds the date.
        there: All columns of the log.
    """

    def __init__(self, path: Path, chosen: str, there: Sequence[str]) -> None:
        self._path, self._chosen = path, chosen
        self._others = usual_columns("time", [name for name in there if name != chosen])

    @cached_property
    def names(self) -> list[str]:
        """The columns that are read: the date, if it has one of its own, and the time."""
        if not self._others:
            return [self._chosen]
        rows = read_rows(self._path, ReadReport(), [self._chosen])
        cells = [row.get(self._chosen) for _, row in islice(rows, _FIRST_ROWS)]
        given = list(filter(is_given, cells))
        alone = bool(given) and all(map(_is_clock, given))
        return [self._others[0], self._chosen] if alone else [self._chosen]

    @cached_property
    def _day_first(self) -> bool | None:
        return day_first_in(self._path, self._values())

    def of(self, row: Row) -> float:
        """Return when a row was written, in seconds since 1970, UTC.

        Raises:
            RowError: Its time cannot be read.
            InputError: The dates of the whole column may be read in two ways.
        """
        return timestamp(in_order(self._value(row), day_first=self._day_first), "time")

    def _values(self) -> Iterator[object]:
        rows = read_rows(self._path, ReadReport(), self.names)
        return (self._value(row) for _, row in rows)

    def _value(self, row: Row) -> object:
        *days, clock = (row.get(name) for name in self.names)
        if not days:
            return clock
        (day,) = days
        if isinstance(day, datetime):
            day = day.date()
        if not is_given(day):
            return None
        date = _MIDNIGHT.sub("", str(day).strip())
        told = str(clock).strip() if is_given(clock) else ""
        return f"{date} {'0' if told[1:2] == ':' else ''}{told}".strip()


def _is_clock(cell: object) -> bool:
    if isinstance(cell, str):
        return _CLOCK.fullmatch(cell.strip()) is not None
    return isinstance(cell, time)
