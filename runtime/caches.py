"""Values that are kept in memory, as far as there is room or until their sources change."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ..records import Item

_Value = TypeVar("_Value")
Kept = MutableMapping[tuple[str, Hashable], tuple[Hashable, Any]]
"""Each value with its version, by its name and key."""
_Embedding = NDArray[np.float32]

_SESSIONS = 512
"""Resolved training sessions kept in memory: some 150 KB each."""
_ITEMS = 20_000
"""Items kept with their embeddings, some 60 MB at most."""
_VECTORS = 2**29
"""Bytes of whole catalogues' embeddings: room for some 17 catalogues of 20,000 items, or for more
smaller ones."""
_HINTS = 100_000
"""Embeddings kept in memory: 150 MB at most."""


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
        """Return a value, rebuilt if the version has changed."""
        place = (name, key)
        async with self._locks[place]:
            known, value = self._kept.get(place, (None, None))
            if place not in self._kept or known != version:
                value = await build()
                self._kept[place] = (version, value)
        return value


@dataclass
class Caches:
    """What a process keeps in memory of its database.

    Attributes:
        versions: What is kept until its source changes; see `domain_cache`.
        vectors: The embeddings of whole catalogues, likewise, as far as there is room.
        sessions: Training sessions as `prepare` hands them on.
        items: Items with their embeddings, by domain, its revision, and id.
        hints: Embeddings by domain and hint, shape `[384]` each; a hint's text never changes.
    """

    versions: VersionedCache = field(default_factory=VersionedCache)
    vectors: VersionedCache = field(default_factory=lambda: VersionedCache(_room_for_vectors()))
    sessions: LRUCache[Hashable, Any] = field(
        default_factory=lambda: LRUCache[Hashable, Any](_SESSIONS)
    )
    items: LRUCache[tuple[int, int, str], tuple[Item, _Embedding]] = field(
        default_factory=lambda: LRUCache[tuple[int, int, str], tuple[Item, _Embedding]](_ITEMS)
    )
    hints: LRUCache[tuple[int, int], _Embedding] = field(
        default_factory=lambda: LRUCache[tuple[int, int], _Embedding](_HINTS)
    )


def _room_for_vectors() -> Kept:
    return LRUCache(_VECTORS, lambda kept: 1 if kept[1] is None else kept[1].nbytes)
