"""Values that are kept in memory until what they were built from changes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from typing import Any, TypeVar

_Value = TypeVar("_Value")
Kept = MutableMapping[tuple[str, Hashable], tuple[Hashable, Any]]
"""Each value with its version, by its name and key."""


class VersionedCache:
    """Keeps one version of each value. Tasks that ask for it at the same time build it once.

    Args:
        kept: Where to keep them, such as a cache of limited size; `None` keeps all.
    """

    def __init__(self, kept: Kept | None = None) -> None:
        self._kept: Kept = {} if kept is None else kept
        self._locks = defaultdict[tuple[str, Hashable], asyncio.Lock](asyncio.Lock)

    async def get(
        self,
        name: str,
        key: Hashable,
        version: Hashable,
        build: Callable[[], Awaitable[_Value]],
    ) -> _Value:
        """Return a value, built anew if the version has changed."""
        place = (name, key)
        async with self._locks[place]:
            known, value = self._kept.get(place, (None, None))
            if place not in self._kept or known != version:
                value = await build()
                self._kept[place] = (version, value)
        return value
