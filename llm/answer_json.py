"""Finds the JSON in a text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .json_values import is_object

_MOST_VALUES, _MOST_FAILURES = 1_000, 50
"""JSON values that are read, and brackets that begin none: an answer may hold thousands."""
_MOST_WHOLE = 1_000_000
_NEAR = 40
"""Characters after a bracket within which its first key stands."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a ranking begins that is no whole JSON, and how many values stand before it."""

    start: int
    values: int


def decoded_values(text: str, key: str) -> tuple[list[tuple[int, int, Any]], Cut | None]:
    """Return where a text's objects and lists begin and end, they, and the last that is broken.

    Args:
        text: That holds JSON.
        key: The first in an object that counts as broken.
    """
    decoder = json.JSONDecoder(parse_float=_number, strict=False)
    values: list[tuple[int, int, Any]] = []
    cut: Cut | None = None
    position = failed = 0
    while failed < _MOST_FAILURES and len(values) < _MOST_VALUES:
        starts = [at for at in (text.find("{", position), text.find("[", position)) if at >= 0]
        if not starts:
            break
        start = min(starts)
        try:
            value, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            if text[start] == "{" and f'"{key}"' in text[start : start + _NEAR]:
                cut = Cut(start, len(values))
            position, failed = start + 1, failed + 1
            continue
        values.append((start, position, value))
        cut = None if is_object(value) and key in value else cut
    return values, cut


def _number(written: str) -> int | float:
    """Read "8.0" and "8e0" as the whole number that they are."""
    number = float(written)
    return int(number) if number.is_integer() and abs(number) <= _MOST_WHOLE else number


def opened_value(value: Any) -> Any:
    """Return what a text of JSON holds, such as the arguments of a tool call."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value, parse_float=_number)
        except (ValueError, RecursionError):
            return value
    return value
