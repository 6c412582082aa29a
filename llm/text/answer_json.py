"""Finds the JSON in a text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .json_values import is_list
from .tolerant_json import as_number, decode_tolerantly

_MOST_VALUES, _MOST_FAILURES = 1_000, 50
"""Most JSON values to read, and most brackets that begin none: an answer may hold thousands."""
_OBJECT = re.compile(r"\{\s{0,100}[\"'\u201c]\w")
_KEY_BEFORE = 40
"""Characters before a list in which its key is looked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object or a list in a text.

    Attributes:
        start: Where the JSON begins in the text.
        end: Where it ends in the text.
        value: What it holds.
        cut: Whether the text ends before it does.
        in_list: Whether it is cut within a list.
    """

    start: int
    end: int
    value: Any
    cut: bool = False
    in_list: bool = False


def decoded_values(text: str, key: str, largest: int = 0) -> tuple[list[Found], bool]:
    """Return the objects and lists of a text, and whether one of its objects cannot be read.

    Args:
        text: A text that holds JSON, perhaps with slips, or cut off.
        key: Under which a list is looked for in an object that cannot be read. Its other lists may
            be part of its sentences.
        largest: The largest number that may be meant.
    """
    named = re.compile(rf"{re.escape(key)}[\"'\u201d]?\s{{0,9}}[:=]\s{{0,9}}\Z")
    values: list[Found] = []
    position = failed = 0
    broken = False
    while failed < _MOST_FAILURES and len(values) < _MOST_VALUES:
        starts = [at for at in (text.find("{", position), text.find("[", position)) if at >= 0]
        if not starts:
            break
        found = _decoded(text, min(starts), largest)
        if found is None:
            position, failed = min(starts) + 1, failed + 1
            broken = broken or _OBJECT.match(text, min(starts)) is not None
            continue
        position = found.end
        if broken and is_list(found.value):
            if not named.search(text[max(0, found.start - _KEY_BEFORE) : found.start]):
                continue
            found = Found(found.start, found.end, {key: found.value}, found.cut, found.in_list)
        values.append(found)
    return values, broken


def _decoded(text: str, start: int, largest: int) -> Found | None:
    try:
        decoder = json.JSONDecoder(parse_float=as_number, strict=False)
        value, end = decoder.raw_decode(text, start)
        return Found(start, end, value)
    except (ValueError, RecursionError):
        pass
    try:
        found = decode_tolerantly(text, start, largest)
    except ValueError:
        return None
    return Found(start, found.end, found.value, found.cut, found.in_list)


def opened_value(value: Any) -> Any:
    """Return what a text of JSON holds, such as the arguments of a tool call."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value, parse_float=as_number)
        except (ValueError, RecursionError):
            return value
    return value
