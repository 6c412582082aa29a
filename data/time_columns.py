"""The time of a log's rows, in one column or in two: the date, and the time of day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .cells import is_given
from .columns import counterparts, usual_columns
from .day_order import day_first_in, in_order
from .day_sessions import SECONDS_A_DAY
from .finer_times import (
    best_of,
    day_first_beside,
    finer_columns,
    may_tell_time,
    moment_on,
    tells_time,
)
from .malformed import ReadReport, RowError
from .table_rows import Row, read_rows
from .times import seconds, timestamp, written_moment

_FIRST_ROWS = 1_000
_CLOCK = re.compile(
    r"(?:24:00|(?:[01]?\d|2[0-3]):[0-5]\d)(?::[0-5]\d(?:[.,]\d{1,9})?)?(?:\s?[ap]\.?m\.?)?",
    re.IGNORECASE,
)
_SPAN = re.compile(r"\d{1,4}(?::\d\d){1,2}(?:[.,]\d{1,9})?")
"""Hours, minutes and seconds, of a day or of how long something took."""
_MIDNIGHT = re.compile(
    r"(?:[ T](?:0?0:00(?::00(?:[.,]0{1,9})?)?|0000(?:00(?:[.,]0{1,9})?)?|12:00(?::00)?\s?AM"
    r"|12\.00(?:\.00(?:\.0{1,9})?)?\s?AM)|(?<=\d)T00)"
    r"(?:\s?(?:Z|[A-Z]{3,5}|(?:GMT|UTC)?[+-]\d\d(?::?\d\d)?))?(?:\[[\w/+-]{1,40}\])?$",
    re.IGNORECASE,
)
"""What programs write behind a date that they hold as a moment, in whichever zone."""
_OFFSET = re.compile(r"(?<=^\d{4}[-/.]\d\d[-/.]\d\d)[+-]\d\d(?:\d\d)?$")
"""The zone of a date, which ISO 8601 reads as a time of day behind an unusual sign."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE]\+?[0-9]+)?")
_DATE_DIGITS = 8
_DATES, _CLOCKS = ("date", "day"), ("time", "clock")
"""What the names of such columns end in; a column such as `playtime` is of another kind."""


class _Found(NamedTuple):
    dated: list[str]
    """The date, if it has a column of its own, and the time."""
    perhaps: list[str] | None = None
    finer: str | None = None
    day_first: bool | None = None
    """What the finer column tells of the dates; `None` if nothing."""


class TimeColumns:
    """Tells when a row was written.

    Args:
        path: The log.
        chosen: The column of the time. If it holds only times of day, another column may hold the
            date, and the other way round. A column of moments may be finer than one of dates: it
            orders what was chosen on a date. Names and contents tell.
        there: All columns of the log.
        named: Whether the user named the column: no other one is added to dates then.
    """

    def __init__(
        self, path: Path, chosen: str, there: Sequence[str], *, named: bool = False
    ) -> None:
        self._path, self._chosen, self._named = path, chosen, named
        others = [name for name in there if name != chosen]
        dates = usual_columns("time", others) + counterparts(chosen, _DATES, others)
        self._dates = list(dict.fromkeys(dates))
        self._clocks = [] if named else counterparts(chosen, _CLOCKS, others)
        self._finer = [] if named else list(filter(may_tell_time, others))

    @property
    def names(self) -> list[str]:
        """The columns that are read: the date, if it has one of its own, and the time."""
        finer = self._found.finer
        return [*self._found.dated, *([finer] if finer else [])]

    @property
    def perhaps(self) -> list[str] | None:
        """Columns that may hold the time of day, if only dates are read; else `None`.

        It is `None`, too, if the user named the column.
        """
        return self._found.perhaps

    @cached_property
    def _found(self) -> _Found:
        own = self._chosen
        needed = list(dict.fromkeys([own, *self._dates, *self._clocks, *self._finer]))
        rows = [row for _, row in islice(read_rows(self._path, ReadReport(), needed), _FIRST_ROWS)]

        def holds(column: str, kind: Callable[[object], bool]) -> bool:
            cells = list(filter(is_given, (row.get(column) for row in rows)))
            return bool(cells) and all(map(kind, cells))

        def tells(column: str) -> bool:
            """Return whether most rows have a time of day."""
            given = sum(is_given(row.get(column)) for row in rows)
            return holds(column, _is_clock) and 2 * given >= len(rows)

        if holds(own, _is_day):
            if self._named:
                return _Found([own])
            clocks = [name for name in self._clocks if tells(name)]
            if clocks and holds(own, _is_date):
                return _Found([own, clocks[0]])
            dated = [{**row, own: _written_date(row.get(own))} for row in rows]
            finer = finer_columns(dated, own, self._finer)
            best = best_of(own, finer)
            if best is not None:
                return _Found([own], None, best, day_first_beside(dated, own, best))
            perhaps = [name for name in self._finer if tells_time(name) and holds(name, _is_figure)]
            return _Found([own], [name for name in self._finer if name in {*finer, *perhaps}])
        dates = [name for name in self._dates if holds(name, _is_date)][:1]
        if tells(own) or (self._named and holds(own, _is_clock)):
            return _Found([*dates, own])
        return _Found(dates if dates and not self._named and holds(own, _is_span) else [own])

    @cached_property
    def _day_first(self) -> bool | None:
        told = self._found.day_first
        return day_first_in(self._path, self._values()) if told is None else told

    def of(self, row: Row) -> float:
        """Return when a row was written, in seconds since 1970, UTC.

        Raises:
            RowError: Its time cannot be read, or has no time of day where others have.
            InputError: The dates of the whole column may be read in two ways.
        """
        (day, *clocks), _, finer, _ = self._found
        if clocks and is_given(row.get(day)) and not is_given(row.get(clocks[0])):
            raise RowError(
                f"has a date and no time of day in {clocks[0]}; if the date is enough, "
                f"name {day} as `time`"
            )
        if finer is None:
            return timestamp(in_order(self._value(row), day_first=self._day_first), "time")
        value = self._value(row) if is_given(row.get(day)) else row.get(finer)
        found = timestamp(in_order(value, day_first=self._day_first), "time")
        midnight = found - found % SECONDS_A_DAY
        moment = moment_on(midnight, row.get(finer))
        return midnight if moment is None else moment

    def is_date_alone(self, found: float) -> bool:
        """Return whether the finer column told no moment on the date, in what `of` returned."""
        return self._found.finer is not None and found % SECONDS_A_DAY == 0

    def _values(self) -> Iterator[object]:
        rows = read_rows(self._path, ReadReport(), self._found.dated)
        return (self._value(row) for _, row in rows)

    def _value(self, row: Row) -> object:
        day, *clocks = (row.get(name) for name in self._found.dated)
        if not clocks:
            return day if self._found.finer is None else _written_date(day)
        if not is_given(day):
            return None
        told = str(clocks[0]).strip() if is_given(clocks[0]) else ""
        return f"{_written_date(day)} {'0' if told[1:2] == ':' else ''}{told}".strip()


def _written_date(cell: object) -> object:
    """Return the date that a moment is written as; a number as it is."""
    if isinstance(cell, datetime):
        return cell.date()
    return _day_alone(cell.strip()) if isinstance(cell, str) else cell


def _day_alone(text: str) -> str:
    return _OFFSET.sub("", _MIDNIGHT.sub("", text))


def _is_clock(cell: object) -> bool:
    if isinstance(cell, str):
        return _CLOCK.fullmatch(cell.strip()) is not None
    return isinstance(cell, time)


def _is_span(cell: object) -> bool:
    return _is_clock(cell) or (isinstance(cell, str) and _SPAN.fullmatch(cell.strip()) is not None)


def _is_figure(cell: object) -> bool:
    return str(cell).strip()[:1].isdigit() and not _is_day(cell)


def _is_day(cell: object) -> bool:
    """Return whether a moment is a date, or midnight in any notation."""
    try:
        return _is_date(cell) or seconds(cell, "") % SECONDS_A_DAY == 0
    except RowError:
        return False


def _is_date(cell: object) -> bool:
    if isinstance(cell, datetime):
        return cell.time() == time()
    if isinstance(cell, date):
        return True
    text = _day_alone(str(cell).strip())
    if ":" in text or (_NUMBER.fullmatch(text) and len(text) != _DATE_DIGITS):
        return False
    moment = written_moment(text)  # a time may have no colon: 20240131T1005
    return moment is None or moment.time() == time()
