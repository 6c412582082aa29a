"""The text encoder, as threads that are side by side use it."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from re2llm.llm.embedding_cache import EmbeddingCache
from re2llm.llm.embeddings import ENCODER_ID, Embedder


def test_what_several_threads_ask_for_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder(EmbeddingCache(tmp_path / "cache.sqlite", ENCODER_ID))
    usual = embedder._embedded
    made: Counter[str] = Counter()

    def counted(texts: Sequence[str]) -> dict[str, np.ndarray]:
        made.update(texts)
        return usual(texts)

    monkeypatch.setattr(embedder, "_embedded", counted)
    texts = [f"a film about {word}" for word in ("war", "love", "space", "food")]
    start = Barrier(4)

    def ask(turn: int) -> np.ndarray:
        start.wait()
        return embedder.encode([*texts[turn:], *texts[:turn]])

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert made == Counter(texts)
    for turn, answer in enumerate(answers):
        assert np.array_equal(np.roll(answer, turn, axis=0), answers[0])
