"""Reads 3.0 as 3: JSON has one kind of number, and some clients write every number as a float."""

from __future__ import annotations

from typing import Any, cast

_EXACT = 2.0**53
"""From here on, a float may stand for several whole numbers."""


def with_whole_numbers(document: Any) -> Any:
    """Return a JSON document whose whole numbers are integers; lists and objects are changed."""
    top = [document]
    waiting: list[Any] = [top]
    while waiting:
        found = waiting.pop()
        places = (
            list(cast("dict[Any, Any]", found).items())
            if isinstance(found, dict)
            else list(enumerate(cast("list[Any]", found)))
        )
        for place, value in places:
            if isinstance(value, float):
                if value.is_integer() and abs(value) < _EXACT:
                    found[place] = int(value)
            elif isinstance(value, dict | list):
                waiting.append(value)
    return top[0]
