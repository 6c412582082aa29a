"""Sentence embeddings that are remembered, in the process and on disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from ...arrays import Floats32
from ...forks import Inherited
from ...settings import get_settings
from .cache import EmbeddingCache
from .encoder import ENCODER_ID, Encoder

_CACHED_TEXTS = 200_000


class Embedder(Inherited):
    """Texts to unit vectors, remembering those it has seen. Safe to share between threads.

    The weights are loaded for the first text that is not remembered: most commands know all theirs.

    Args:
        cache: Remembers them beyond the process.
    """

    _making: ClassVar = threading.Lock()
    """Held while the one encoder is made."""

    def __init__(self, cache: EmbeddingCache) -> None:
        super().__init__()
        self._cache = cache
        self._seen: OrderedDict[str, Floats32] = OrderedDict()
        self._lock = threading.Lock()

    def forget_parent(self) -> None:
        """Make new locks in a forked process: a thread of the parent may hold the old ones."""
        self._lock, Embedder._making = threading.Lock(), threading.Lock()

    def encode(self, texts: Sequence[str]) -> Floats32:
        """Embed texts. Blocks: a few ms for each new text, seconds for the first.

        Args:
            texts: Any number, of any length; the model reads the first 256 tokens.

        Returns:
            Unit vectors, shape `[len(texts), 384]`.
        """
        if not texts:
            return np.zeros((0, 384), dtype=np.float32)
        with self._lock:
            known = {text: self._seen[text] for text in texts if text in self._seen}
        unseen = list(dict.fromkeys(text for text in texts if text not in known))
        if unseen:
            kept = self._cache.get(unseen)
            self._remember(kept)
            known.update(kept)
            new = [text for text in unseen if text not in kept]
            known.update(self._made(new) if new else {})
        return np.stack([known[text] for text in texts])

    def _made(self, texts: Sequence[str]) -> dict[str, Floats32]:
        with self._making:
            # Runs that are side by side ask for the same: one has made what the others wait for.
            with self._lock:
                made = {text: self._seen[text] for text in texts if text in self._seen}
            new = [text for text in texts if text not in made]
            if new:
                fresh = self._embedded(new)
                self._cache.put(fresh)
                self._remember(fresh)
                made.update(fresh)
            return made

    def _embedded(self, texts: Sequence[str]) -> dict[str, Floats32]:
        return dict(zip(texts, _encoder().encode(texts), strict=True))

    def _remember(self, vectors: dict[str, Floats32]) -> None:
        with self._lock:
            self._seen.update(vectors)
            while len(self._seen) > _CACHED_TEXTS:
                self._seen.popitem(last=False)


@lru_cache(maxsize=1)
def get_embedder() -> Embedder:
    """Return the process's embedder. The first call opens a file."""
    return Embedder(EmbeddingCache(get_settings().home / "embeddings.sqlite", ENCODER_ID))


@lru_cache(maxsize=1)
def _encoder() -> Encoder:
    return Encoder()
