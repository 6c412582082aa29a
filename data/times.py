"""Reads a moment however a data set writes it: as a number since 1970, or as a date."""

from __future__ import annotations

import email.utils
import math
import re
from datetime import UTC, date, datetime, time

from ..records import is_number
from .malformed import RowError, shown

_DASHED = re.compile(r"^(\d{4})[/.](\d\d)[/.](\d\d)(?!\d)")
LATEST = 32_503_680_000
"""The year 3000 in seconds; a larger number counts smaller units."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,12})?(?:[eE]\+?[0-9]{1,2})?")
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
"""Seconds, milliseconds, microseconds, nanoseconds."""
_FIRST_DATE, _LAST_DATE = 19_700_101, 21_001_231
"""Whole numbers that are written as 20240131; as seconds, they would all lie in August 1970."""


def seconds(value: object, name: str) -> float:
    """Return a moment in seconds since 1970, UTC.

    Numbers are seconds, milliseconds, microseconds or nanoseconds, whichever gives a time before
    the year 3000. Text is such a number or an ISO 8601 date; a date without an offset is UTC.

    Raises:
        RowError: It is none of these; the message calls it `name`.
    """
    given = value
    if isinstance(value, str):
        text = value.strip()
        value = (float(text) if _NUMBER.fullmatch(text) else _date(text)) if text else None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    if not is_number(value):
        raise RowError(
            f"{name} {shown(given)} is neither a number of seconds nor a date such as "
            "2024-01-31, year first"
        )
    if _FIRST_DATE <= value <= _LAST_DATE and (written := _date(f"{value:.0f}")) is not None:
        return written.timestamp()
    for unit in _UNITS:
        if abs(value) < LATEST * unit:
            return value / unit
    raise RowError(f"{name} {shown(given)} is not between 1970 and the year 3000")


def timestamp(value: object, name: str) -> int:
    """Return a moment in whole seconds since 1970, UTC.

    Raises:
        RowError: It is none, or lies before 1970; the message calls it `name`.
    """
    found = math.floor(seconds(value, name))
    if found < 0:
        raise RowError(f"{name} {shown(value)} is not between 1970 and the year 3000")
    return found


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_DASHED.sub(r"\1-\2-\3", text.removesuffix(" UTC")))
    except ValueError:
        return _in_words(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _in_words(text: str) -> datetime | None:
    """Read the date of an email or of HTTP: `Wed, 31 Jan 2024 10:00:00 GMT`."""
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
