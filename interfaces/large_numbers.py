"""Finds the number in a JSON document that a program in C cannot hold, such as `1e5000`."""

from __future__ import annotations

import json
import math
from typing import Any, cast

TOO_LARGE = "infinity"
"""orjson's message about a number that no float can hold."""
_LARGEST = 2**16
"""Most bytes to search: more would take too long."""
_LONGEST, _LONGEST_NAME = 200, 40
"""Most characters of a place, and of a name in it."""
_DIGITS = 20
"""Most digits of a whole number of 64 bits."""


def place_of_large_number(body: bytes, *, whole: bool = False) -> str:
    """Return the place of the first such number, such as `history.0`; `body` if it is not found.

    Args:
        body: A request's body. It need not be JSON after the number.
        whole: Whether a whole number of more than 64 bits is one, too; else one is that no float
            can hold.
    """
    if len(body) > _LARGEST:
        return "body"
    try:
        document = json.loads(body, parse_int=_whole if whole else _number, parse_float=_number)
    except (ValueError, RecursionError):
        return "body"
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        place, found = waiting.pop()
        if found is math.inf:
            return place.removeprefix(".")[:_LONGEST] or "body"
        if isinstance(found, dict):
            inner = list(cast("dict[str, Any]", found).items())
        elif isinstance(found, list):
            inner = list(enumerate(cast("list[Any]", found)))
        else:
            continue
        waiting += [(f"{place}.{str(key)[:_LONGEST_NAME]}", value) for key, value in inner[::-1]]
    return "body"


def _number(written: str) -> float | None:
    """Return infinity for a number that is too large, and nothing for others."""
    return math.inf if math.isinf(float(written)) else None


def _whole(written: str) -> float | None:
    digits = written.lstrip("-")
    large = len(digits) > _DIGITS or int(digits) >= 2 ** (64 if digits == written else 63)
    return math.inf if large else None
