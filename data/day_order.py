"""Tells whether the dates of a column, such as 03/04/2024, have the day or the month first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from ..errors import InputError
from .cells import is_given
from .malformed import shown
from .word_dates import on_24_hours

_DATE = re.compile(
    r"\s{0,9}(\d{1,2})([/.-])(\d{1,2})\2(\d{4})"
    r"(?:,?[ T]\s?(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:\s?([ap])\.?m\.?)?)?\s{0,9}",
    re.IGNORECASE,
)
_PEEKED = 1_000
"""The first date is looked for in this many rows."""
_MONTHS = 12


def day_first_in(path: Path, values: Iterable[object]) -> bool | None:
    """Return whether a column's dates have the day first; `None` if the first one ends in no year.

    Args:
        path: The file, for messages.
        values: The whole column, of which the rest is read only if need be.

    Raises:
        InputError: Both are possible, or neither fits all rows.
    """
    left = iter(values)
    first = next(filter(is_given, islice(left, _PEEKED)), None)
    if not isinstance(first, str) or _DATE.fullmatch(first) is None:
        return None
    days: str | None = None
    months: str | None = None
    either: str | None = None
    for value, one, other in _parted([first], left):
        if one > _MONTHS >= other:
            days = days or value
        elif other > _MONTHS >= one:
            months = months or value
        elif one != other:
            either = either or value
    remedy = "Write them with the year first, as 2024-01-31."
    if days and months:
        problem = f"has dates with the day first ({shown(days)}) and the month first"
        raise InputError(str(path), f"{problem} ({shown(months)}).", remedy)
    if either and not days and not months:
        problem = f"has dates such as {shown(either)}, and no row tells the day from the month."
        raise InputError(str(path), problem, remedy)
    return days is not None


def _parted(*columns: Iterable[object]) -> Iterator[tuple[str, int, int]]:
    for column in columns:
        for value in column:
            found = _DATE.fullmatch(value) if isinstance(value, str) else None
            if found:
                yield found[0], int(found[1]), int(found[3])


def in_order(value: object, *, day_first: bool | None) -> object:
    """Return a moment for a date that ends in its year, and any other value as it is.

    Args:
        value: A value of the column.
        day_first: What `day_first_in` returned.
    """
    found = _DATE.fullmatch(value) if isinstance(value, str) and day_first is not None else None
    if found is None:
        return value
    one, other, year = int(found[1]), int(found[3]), int(found[4])
    day, month = (one, other) if day_first else (other, one)
    hour, minute, second = (int(part or 0) for part in found.group(5, 6, 7))
    micros = int(f"{found[8] or 0:0<6}"[:6])
    hour = on_24_hours(hour, found[9])
    if hour is None:
        return value
    try:
        return datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC)
    except ValueError:
        return value
