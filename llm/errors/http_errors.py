"""What the errors of all HTTP clients have in common: a status, and when to ask again."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from typing import Any, cast

from ..text.json_values import is_object

_LEAST_STATUS, _MOST_STATUS = 100, 599
_LONGEST_CHAIN = 5
_LONGEST = 100
_DURATION = re.compile(
    r"(?:(\d{1,5})m(?!s))?\s?(?:(\d{1,9}(?:\.\d{1,9})?)s)?\s?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?"
)
"""A duration as some providers write it, against the standard: `5s`, `1m30s`, `250ms`."""
_AMOUNT = (
    r"(\d{1,6}(?:\.\d{1,9})?)\s?(ms|milliseconds?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hours?)?"
    r"(?![^\W\d_])"
)
_AMOUNTS = re.compile(_AMOUNT, re.IGNORECASE)
_SAID_PAUSE = re.compile(
    r"\b(?:(?:re)?try(?:ing)?(?: again| (?:the|this|your) request)?(?: in| after)"
    r"|retry[_-]?(?:delay|after|in)(?:[_-]?(?:seconds|(ms)))?['\"]?\s?[:=])\W{0,3}"
    rf"((?:{_AMOUNT}\s?){{1,3}})",
    re.IGNORECASE,
)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "milli": 0.001}
_MOST_READ = 4_000


def request_of(error: BaseException) -> Any:
    """Return the request that an error holds, in the form of its HTTP client, or `None`."""
    try:
        return getattr(error, "request", None)
    except RuntimeError:  # what httpx's errors raise where they hold none
        return None


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status of an error, or of one that it came from; `None` if there is none."""
    return next((status for link in chain(error) if (status := _own_status(link))), None)


def _own_status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    if is_object(response):  # as AWS's package has it
        about = response.get("ResponseMetadata")
        response = None
        if is_object(about) and as_status(about.get("HTTPStatusCode")):
            return as_status(about["HTTPStatusCode"])
    for holder, name in (
        (error, "status_code"),
        (response, "status_code"),
        (error, "status"),
        (error, "code"),
        (error, "http_status"),
    ):
        value = as_status(getattr(holder, name, None))
        if value is not None:
            return value
    return None


def as_status(value: object) -> int | None:
    """Return a value as an HTTP status, or `None` if it is none."""
    if isinstance(value, str) and len(value) <= len(str(_MOST_STATUS)) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if _LEAST_STATUS <= value <= _MOST_STATUS else None


def retry_after(error: BaseException) -> float | None:
    """Read `Retry-After` as RFC 9110 has it, in seconds or as a date, or in milliseconds."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = cast("Mapping[str, str]", headers).get(name)
        if value is None:
            continue
        seconds = _seconds(value, unit)
        if seconds is not None:
            return seconds
    return None


def said_pause(said: str) -> float | None:
    """Return the seconds for which an error's words ask to be left alone, `None` if they do not.

    Args:
        said: Such as "Please retry in 38.7s", or JSON with a `retryDelay`.
    """
    found = _SAID_PAUSE.search(said[:_MOST_READ])
    if found is None:
        return None
    usual = "ms" if found[1] else "s"
    return sum(_in_seconds(one[1], one[2] or usual) for one in _AMOUNTS.finditer(found[2]))


def _in_seconds(number: str, unit: str) -> float:
    short = next(one for one in ("milli", "ms", "h", "m", "s") if unit.lower().startswith(one))
    return float(number) * _UNITS[short]


def _seconds(value: str, unit: float) -> float | None:
    """Return the seconds to wait, `None` for what is neither a number nor a date."""
    duration = _DURATION.fullmatch(value[:_LONGEST].strip())
    if duration is not None and any(duration.groups()):
        minutes, seconds, thousandths = (float(part or 0) for part in duration.groups())
        return minutes * 60 + seconds + thousandths / 1000
    try:
        number = float(value) / unit
        return max(0.0, number) if math.isfinite(number) else None
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def chain(error: BaseException) -> list[BaseException]:
    """Return an error and what it says it came from: packages wrap those of their HTTP client."""
    links = [error]
    while links[-1].__cause__ is not None and len(links) < _LONGEST_CHAIN:
        links.append(links[-1].__cause__)
    return links
