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


def test_only_its_owner_reads_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "home" / "embeddings.sqlite"
    path.parent.mkdir()
    path.touch(mode=0o644)
    cache = EmbeddingCache(path, "encoder")
    cache.put({"text": np.zeros(384, dtype=np.float32)})
    files = list(path.parent.iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
