"""Finds the column of moments that is finer than a log's column of dates: their days agree."""

from __future__ import annotations

from collections.abc import Sequence

from .cells import is_given
from .columns import time_stem
from .day_order import in_order
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


def _is_finer(rows: Sequence[Row], date: str, column: str) -> bool:
    pairs = [(row.get(date), row.get(column)) for row in rows if is_given(row.get(column))]
    if 2 * len(pairs) < len(rows):
        return False
    if sum(_agree(*pair) for pair in pairs) < max(1, _MOSTLY * len(pairs)):
        return False
    return len({str(moment) for _, moment in pairs}) > len({str(day) for day, _ in pairs})


def _agree(day: object, moment: object) -> bool:
    return any(
        _EARLIEST <= of_moment - of_day < _LATEST
        for of_day in _readings(day)
        for of_moment in _readings(moment)
    )


def _readings(cell: object) -> set[float]:
    """Return a moment in seconds since 1970: two where the day or the month may come first."""
    found = set[float]()
    for day_first in (True, False):
        try:
            found.add(seconds(in_order(cell, day_first=day_first), ""))
        except RowError:
            continue
    return found
