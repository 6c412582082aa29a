"""Dates that name their month, as emails, browsers and programs write them, to the last word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS: Mapping[str, int] = MappingProxyType(
    {
        name: ahead
        for ahead, names in (
            *((0, "z ut utc gmt wet"), (1, "cet mez west"), (2, "cest mesz eet"), (3, "eest msk")),
            *((9, "jst kst"), (-3, "adt"), (-4, "ast edt"), (-5, "est cdt"), (-6, "cst mdt")),
            *((-7, "mst pdt"), (-8, "pst akdt"), (-9, "akst"), (-10, "hst"), (8, "hkt sgt")),
            *((10, "aest"), (11, "aedt"), (12, "nzst"), (13, "nzdt")),
        )
        for name in names.split()
    }
)
"""How far zones are ahead of UTC. Of names that several zones have, only those of emails count."""
_ZONE = re.compile(r"[A-Z]{3,5}|[CEMP]T")
"""What looks like the name of a zone."""
_BRACKETED = re.compile(r"\((\w{1,5})\)")

_HALF = re.compile(
    r"(?<![\d:.])(\d{1,2})([:.]\d\d(?:[:.]\d\d(?:[.,]\d{1,9})?)?)?\s?([ap])\.?m\b\.?", re.IGNORECASE
)
_NOON = 12
_TIED = re.compile(r"^(\d{1,2}[-/][A-Za-z]{3,9}[-/]\d{4}):")
"""A date and a time as in the logs of web servers."""
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,](\d{1,9}))?)?(?![\d:])")
_OFFSET = re.compile(
    r"\s?(?:GMT|UTC?)?([+-])(\d{1,2}):?(\d\d)?(?!\w)(?:\s?\([^()]{1,60}\))?", re.IGNORECASE
)
_BETWEEN = re.compile(r"[\s,/.-]+")
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")
_YEAR = re.compile(r"\d{4}")
_CENTURY = 69
"""Years of two digits mean the last century from here on, as in emails."""


class UnknownZoneError(ValueError):
    """A date has a zone that is not known; the message is its name."""


def on_24_hours(hour: int, half: str | None) -> int | None:
    """Return an hour on a 24-hour clock; `None` if a 12-hour clock has no such hour.

    Args:
        hour: The hour as it is written.
        half: `a` or `p`, for AM or PM, or `None` if the clock has 24 hours.
    """
    if half is None:
        return hour
    return hour % _NOON + _NOON * (half in "pP") if 1 <= hour <= _NOON else None


def without_half(text: str) -> str | None:
    """Return a text with `10:05 PM` as `22:05`; `None` if there is no such hour.

    Args:
        text: A moment, however written.
    """
    found = _HALF.search(text)
    if found is None:
        return text
    hour = on_24_hours(int(found[1]), found[3])
    if hour is None:
        return None
    return f"{text[: found.start()]}{hour:02}{found[2] or ':00'}{text[found.end() :]}"


def day_in_words(year: str, month: str, day: str) -> str:
    """Return the day of a date in numbers as `date_in_words` reads it; empty without such a month.

    Args:
        year: Four digits.
        month: One or two digits.
        day: One or two digits.
    """
    place = int(month) - 1
    return f"{day} {_MONTHS[place]} {year}" if 0 <= place < len(_MONTHS) else ""


def date_in_words(text: str) -> datetime | None:
    """Read a date whose month is named: `Wed, 31 Jan 2024 10:00:00 GMT`; else return `None`.

    A date without a zone is UTC. A text with an unknown word is not read, as it may move the hour.
    If there is an offset, the name of the zone does not matter.

    Args:
        text: A date whose time, if it has one, is on a 24-hour clock.

    Raises:
        UnknownZoneError: It is a date with a zone that is not known, and no offset.
    """
    text = _TIED.sub(r"\1 ", text)
    clock = _CLOCK.search(text)
    zone: tzinfo | None = None
    rest = text
    hour = minute = second = micros = 0
    if clock:
        hour, minute, second = (int(part or 0) for part in clock.group(1, 2, 3))
        micros = int(f"{clock[4] or 0:0<6}"[:6])
        after = text[clock.end() :]
        offset = _OFFSET.match(after)
        if offset:
            ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
            after = after[offset.end() :]
            if ahead >= timedelta(days=1):
                return None
            zone = timezone(-ahead if offset[1] == "-" else ahead)
        rest = _BRACKETED.sub(r"\1", f"{text[: clock.start()]} {after}")
    words = [word for word in _BETWEEN.split(rest) if word and word.casefold() != "at"]
    zones = list(filter(_is_zone, words)) if clock else []
    day = _day_of([word for word in words if word not in zones])
    if day is None or len(zones) > 1:
        return None
    for name in zones:
        hours = _HOURS.get(name.casefold())
        if hours is None and zone is None:
            raise UnknownZoneError(name)
        told = zone if hours is None else timezone(timedelta(hours=hours))
        if zone not in (None, told):
            return None
        zone = told
    try:
        return datetime(*day, hour, minute, second, micros, tzinfo=zone or UTC)
    except ValueError:
        return None


def _is_zone(word: str) -> bool:
    """Return whether a word of a date is the name of a zone, known or not."""
    if word.casefold() in _HOURS:
        return True
    named = _place(word, (*_MONTHS, *_WEEKDAYS)) is not None
    return not named and _ZONE.fullmatch(word) is not None


def _day_of(words: Sequence[str]) -> tuple[int, int, int] | None:
    """Return year, month and day; `None` if a word is none of them and no weekday."""
    months: list[int] = []
    years: list[int] = []
    days: list[int] = []
    for word in words:
        numbered = _DAY.fullmatch(word)
        if numbered:
            days.append(int(numbered[1]))
        elif _YEAR.fullmatch(word):
            years.append(int(word))
        elif (month := _place(word, _MONTHS)) is not None:
            months.append(month + 1)
        elif _place(word, _WEEKDAYS) is None:
            return None
    if not years and len(days) == 2:  # noqa: PLR2004  # the day, and a year of two digits
        short = days.pop()
        years.append(short + (1900 if short >= _CENTURY else 2000))
    if not len(years) == len(months) == len(days) == 1:
        return None
    return years[0], months[0], days[0]


def _place(word: str, names: Sequence[str]) -> int | None:
    """Return the place of a name that is written in full, or cut after 3 letters or more."""
    small = word.casefold()
    found = (place for place, name in enumerate(names) if name.startswith(small))
    return next(found, None) if len(small) >= 3 else None  # noqa: PLR2004
