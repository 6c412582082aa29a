"""Reads a moment however a data set writes it: as a number since 1970, or as a date."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from ..records import is_number
from .malformed import RowError, shown
from .word_dates import UnknownZoneError, date_in_words, day_in_words, without_half

_DASHED = re.compile(r"^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_ZONE = re.compile(r"(?<=[\dZ])\[[\w/+-]{1,40}\]$")
"""The name of a zone, as Java writes it behind an offset."""
_COMMA = re.compile(r"([0-9]{9,20}),([0-9]{1,6})")
LATEST = 32_503_680_000
"""The year 3000 in seconds; a larger number counts smaller units."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,12})?(?:[eE]\+?[0-9]{1,2})?")
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
"""Seconds, milliseconds, microseconds, nanoseconds."""
_LONGEST = 200
"""Characters of a text that may be a moment."""
_FIRST_DATE, _LAST_DATE = 19_700_101, 21_001_231
_TO_HOUR, _TO_MINUTE, _TO_SECOND, _TO_MILLISECOND = 100, 10_000, 1_000_000, 1_000_000_000
"""Numbers that are written as 20240131, or with a time as 2024013109 or 20240131095930.150.

As seconds they would lie in August 1970 or from 2032 to 2036, and as smaller units in 1976 or after
2590.
"""
_EARLIEST_LOG = datetime(1998, 1, 1, tzinfo=UTC)
"""Well-known logs, such as MovieLens 100K, end in 1998."""
_AHEAD = timedelta(days=1)
"""How far ahead a time may seem, as a zone's own time does that is taken for UTC."""


def seconds(value: object, name: str) -> float:
    """Return a moment in seconds since 1970, UTC.

    Numbers are seconds, milliseconds, microseconds or nanoseconds, whichever gives a time before
    the year 3000. Text is such a number or an ISO 8601 date; a date without an offset is UTC.

    Raises:
        RowError: The value is none of these; the message calls it `name`.
    """
    given = value
    if isinstance(value, str):
        text = value.strip()
        try:
            value = _moment(text) if 0 < len(text) <= _LONGEST else None
        except UnknownZoneError as error:
            problem = f"has a zone that is not known: {error}; write its offset, such as +05:30"
            raise RowError(f"{name} {shown(given)} {problem}") from error
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    if isinstance(value, Decimal):
        value = float(value)
    if not is_number(value):
        raise RowError(
            f"{name} {shown(given)} is neither a number of seconds nor a date such as "
            "2024-01-31, year first"
        )
    written = _written(value)
    if written is not None:
        return written.timestamp()
    for unit in _UNITS:
        if abs(value) < LATEST * unit:
            return value / unit
    raise RowError(f"{name} {shown(given)} is not between 1970 and the year 3000")


def written_moment(text: str) -> datetime | None:
    """Return the moment that a text writes as a date, in its own zone; `None` for all else."""
    try:
        found = _moment(text) if 0 < len(text) <= _LONGEST else None
    except UnknownZoneError:
        return None
    return found if isinstance(found, datetime) else None


def timestamp(value: object, name: str) -> float:
    """Return a moment in seconds since 1970, UTC, with their fraction: it orders what is chosen.

    Raises:
        RowError: The value is no moment, or lies before 1970; the message calls it `name`.
    """
    found = seconds(value, name)
    if found < 0:
        raise RowError(f"{name} {shown(value)} is not between 1970 and the year 3000")
    return found


def is_doubtful(latest: float) -> bool:
    """Return whether a log probably counts its times in a way that `timestamp` does not know.

    So do days of Excel, ticks of .NET, and seconds since 1601 or 2001: as read here, its latest
    time is before 1998, or to come.

    Args:
        latest: In seconds since 1970, UTC.
    """
    return not _EARLIEST_LOG.timestamp() <= latest <= (datetime.now(UTC) + _AHEAD).timestamp()


def _written(value: float) -> datetime | None:
    """Return the date that a number is written as."""
    whole = int(value)
    for times in (1, _TO_HOUR, _TO_MINUTE, _TO_SECOND, _TO_MILLISECOND):
        if _FIRST_DATE <= whole // times <= _LAST_DATE and (whole == value or times == _TO_SECOND):
            digits = str(whole)
            clock = f"T{digits[8:14]}" if digits[8:] else ""
            fraction = digits[14:] or (repr(value).partition(".")[2] if whole != value else "")
            return _date(f"{digits[:8]}{clock}.{fraction}".rstrip("."))
    return None


def _moment(text: str) -> float | datetime | None:
    text = _COMMA.sub(r"\1.\2", text)
    return _number(text) if _NUMBER.fullmatch(text) else _date(text)


def _number(text: str) -> float | datetime:
    # As floats, the longest are whole milliseconds apart.
    if text.isdigit():
        return int(text)
    if text[14:15] == "." and _FIRST_DATE <= int(text[:8]) <= _LAST_DATE:
        return _date(f"{text[:8]}T{text[8:]}") or float(text)
    return float(text)


def _date(text: str) -> datetime | None:
    halved = without_half(_ZONE.sub("", text.removesuffix(" UTC")))
    if halved is None:
        return None
    dashed = _DASHED.sub(lambda one: f"{one[1]}-{one[3]:0>2}-{one[4]:0>2}", halved)
    try:
        found = datetime.fromisoformat(dashed)
    except ValueError:  # also what ISO 8601 has not, such as 9:05 or EST
        return date_in_words(_DASHED.sub(lambda one: day_in_words(one[1], one[3], one[4]), halved))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
