"""A key for caches of what is built from nested data, such as the items of a prompt."""

from __future__ import annotations

import marshal
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")


class ContentKey(Generic[_Value]):
    """A value, equal to another of the same content.

    Args:
        value: The data to build from.
        content: All of it that matters for what is built: text, numbers, lists, tuples and dicts.
    """

    __slots__ = ("_key", "value")

    def __init__(self, value: _Value, content: Any) -> None:
        self.value = value
        # Version 2 writes equal values as equal bytes, and takes a tenth of what building takes.
        self._key = marshal.dumps(content, 2)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentKey) and self._key == other._key
