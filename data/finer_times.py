"""Finds the column of moments that is finer than a log's column of dates, and reads it with them.

The date tells the day, and the moment only the order within it: dates are those of the place, and
some moments may be missing or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from .cells import is_given
from .columns import time_stem
from .day_order import in_order
from .day_sessions import SECONDS_A_DAY
from .malformed import RowError
from .table_rows import Row
from .times import seconds

_PARTS = ("time", "stamp", "epoch", "unix", "clock", "hour")
_ENDS = ("ts", "ms", "at")
_MOSTLY = 0.9
"""In this share of the rows, the moment must lie on the date: a clock may be wrong sometimes."""
_HOUR = 3_600
_EARLIEST, _LATEST = -14 * _HOUR, (24 + 12) * _HOUR
"""Seconds from midnight UTC of a date to any moment of that date, in whichever zone it is."""


def may_tell_time(name: str) -> bool:
    """Return whether a column's name is like that of a time."""
    lowered = name.casefold()
    return lowered.endswith(_ENDS) or tells_time(name)


def tells_time(name: str) -> bool:
    """Return whether a column's name holds a word for a time."""
    return any(part in name.casefold() for part in _PARTS)


def finer_columns(rows: Sequence[Row], date: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that tell when on its date a row was written.

    Args:
        rows: The first rows of a log.
        date: Its column of dates.
        columns: The columns to choose from.
    """
    return [column for column in columns if _is_finer(rows, date, column)]


def best_of(date: str, finer: Sequence[str]) -> str | None:
    """Return the column whose name fits that of the dates; `None` if two fit equally well.

    A column such as `event_timestamp` fits `event_date` best, then `timestamp`. Others, such as
    `click_ts`, fit a name that says nothing of the event, such as `date`.

    Args:
        date: The name of the column of dates.
        finer: Columns from `finer_columns`.
    """
    stems = {column: time_stem(column) for column in finer}
    own = time_stem(date)
    for stem in (own, ""):
        if stem in stems.values():
            return next(column for column in finer if stems[column] == stem)
    return finer[0] if not own and len(set(stems.values())) == 1 else None


def day_first_beside(rows: Sequence[Row], date: str, finer: str) -> bool | None:
    """Return whether the dates have the day first, as the moments beside them tell.

    `None` if the moments do not tell, as where they may be read in both ways themselves.

    Args:
        rows: The first rows of a log.
        date: Its column of dates.
        finer: A column from `finer_columns`.
    """
    told = {True: 0, False: 0}
    for row in rows:
        days = {first: _in_seconds(row.get(date), day_first=first) for first in told}
        if None in days.values() or days[True] == days[False]:
            continue
        fits = [
            first
            for first, day in days.items()
            if day is not None and moment_on(day, row.get(finer)) is not None
        ]
        if len(fits) == 1:
            told[fits[0]] += 1
    return None if told[True] == told[False] else told[True] > told[False]


def moment_on(day: float, cell: object) -> float | None:
    """Return a moment of a date, in seconds since 1970, for its place among others of the date.

    In another zone than UTC, a date begins and ends on another day of UTC. So the moments that
    may lie on a date are drawn together into its 24 hours of UTC, and keep their order.

    Args:
        day: Midnight UTC of the date, in seconds since 1970.
        cell: What a column from `finer_columns` holds.

    Returns:
        `None` if the cell holds no moment, or one of another date. It is never midnight itself.
    """
    for moment in _readings(cell):
        if _EARLIEST < moment - day < _LATEST:
            share = (moment - day - _EARLIEST) / (_LATEST - _EARLIEST)
            return day + share * SECONDS_A_DAY
    return None


def _is_finer(rows: Sequence[Row], date: str, column: str) -> bool:
    both = [(row.get(date), row.get(column)) for row in rows]
    pairs = [pair for pair in both if all(map(is_given, pair))]
    if 2 * len(pairs) < len(rows):
        return False
    if sum(_agree(*pair) for pair in pairs) < max(1, _MOSTLY * len(pairs)):
        return False
    return len({str(moment) for _, moment in pairs}) > len({str(day) for day, _ in pairs})


def _agree(day: object, moment: object) -> bool:
    return any(moment_on(midnight, moment) is not None for midnight in _readings(day))


def _readings(cell: object) -> list[float]:
    """Return a moment in seconds since 1970: two where the day or the month may come first."""
    found = [_in_seconds(cell, day_first=first) for first in (True, False)]
    return [moment for moment in dict.fromkeys(found) if moment is not None]


def _in_seconds(cell: object, *, day_first: bool) -> float | None:
    try:
        return seconds(in_order(cell, day_first=day_first), "")
    except RowError:
        return None
