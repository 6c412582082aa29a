"""How large the JSON of a request may be, so that it is checked field by field in no time."""

from __future__ import annotations

import json
from typing import Any, cast

from ..errors import InputError

DEEPEST = 16
"""Lists and objects inside each other."""
LONGEST_LIST = 20_000
MOST_KEYS = 1_000
MOST_PARTS = 50_000
"""Lists and objects. What is beyond fits no field, and each part would be an error of its own:
hundreds of thousands of them take seconds, in which nobody else is answered."""

_TOO_MANY = f"It has more than {MOST_PARTS:,} lists and objects."
_TOO_DEEP = f"Lists and objects are nested more than {DEEPEST} deep."
_TOO_LONG = f"A list has over {LONGEST_LIST:,} entries, or an object {MOST_KEYS:,} keys."


def fault_of(document: object) -> str:
    """Say why a JSON document is too large to be checked, or nothing if it is not."""
    level = [document]
    parts = 0
    for _ in range(DEEPEST):
        parts += len(level)
        if parts > MOST_PARTS:
            return _TOO_MANY
        if any(map(_is_long, level)):
            return _TOO_LONG
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return ""
    return _TOO_DEEP


def unpacked(field: str, text: str) -> Any:
    """Return the list, the object or the null that a text holds as JSON; any other text as it is.

    Args:
        field: Where the text stands.
        text: As a client sent it.

    Raises:
        InputError: It holds more than a document may that is sent as JSON itself.
    """
    # Counted before it is read: to make a million objects takes long, too.
    if text.count("[") + text.count("{") > MOST_PARTS:
        raise InputError(field, _TOO_MANY, "Send less.")
    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError:
        return text
    except ValueError:  # Python reads no number of thousands of digits
        remedy = "Send ids of so many digits as texts in a list."
        raise InputError(field, "The number is too large.", remedy) from None
    except RecursionError:
        raise InputError(field, _TOO_DEEP, "Send it flat.") from None
    problem = fault_of(found)
    if problem:
        raise InputError(field, problem, "Send less.")
    # A number or a text in quotes may be an id or a title as it is written.
    return text if isinstance(found, str | int | float) else found


def _is_long(part: object) -> bool:
    if isinstance(part, dict):
        return len(cast("dict[str, object]", part)) > MOST_KEYS
    return isinstance(part, list) and len(cast("list[object]", part)) > LONGEST_LIST


def _within(document: object) -> list[object]:
    """Return the lists and objects directly inside a list or an object."""
    if isinstance(document, dict):
        inner = list(cast("dict[str, object]", document).values())
    elif isinstance(document, list):
        inner = cast("list[object]", document)
    else:
        return []
    return [value for value in inner if isinstance(value, dict | list)]
