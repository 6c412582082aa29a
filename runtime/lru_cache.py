"""A cache of what was used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class LRUCache(Generic[_Key, _Value]):
    """Keeps so many values; the one that was not asked for longest goes first.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[_Key, _Value] = OrderedDict()

    def get(self, key: _Key) -> _Value | None:
        """Return a value, or `None` if it is not kept.

        Args:
            key: Of the value.
        """
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: _Key, value: _Value) -> None:
        """Keep a value.

        Args:
            key: To ask for it by.
            value: Is handed out as it is, and must stay so.
        """
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
