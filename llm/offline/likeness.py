"""How much the candidates resemble the history, by the meaning of their words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...arrays import centred_and_deviation
from .document import Entry, RankingDocument, values_of

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Scores = NDArray[np.float64]

RECENT = 5
"""Items of the history that count as the most recent."""


def standardised(values: Scores) -> Scores:
    """Shift and scale to mean 0 and deviation 1; constant values become 0.

    Args:
        values: Shape `[candidates]`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centred, deviation = centred_and_deviation(values)
    if not math.isfinite(deviation) or deviation < 1e-9:  # noqa: PLR2004
        return np.zeros_like(values)
    return centred / deviation


def likenesses(document: RankingDocument, encode: Encode) -> tuple[Scores, Scores, Scores]:
    """Score resemblance to the history, by titles and by attributes.

    Args:
        encode: Texts to unit vectors, shape `[n, d]`.

    Returns:
        Resemblance to the whole history, to its most recent items, and to any single one of them,
        each standardised, shape `[candidates]`.
    """
    alike: list[list[Scores]] = [[], [], []]
    # A table shows of an item what tells it from the others beside it: as one text it would have to
    # be encoded again for nearly every prompt.
    for words in (_title, _facts) if document.tabular else (_whole_text, _facts_text):
        past = [words(entry) for entry in document.history]
        present = [words(entry) for entry in document.candidates]
        if not any(past) or not any(present):
            continue
        likeness = _vectors(past, encode) @ _vectors(present, encode).T
        recency = np.arange(1, len(past) + 1) / len(past)
        stats = (recency @ likeness, likeness[-RECENT:].mean(axis=0), likeness.max(axis=0))
        for collected, stat in zip(alike, stats, strict=True):
            collected.append(standardised(stat))
    if not alike[0]:
        alike = [[np.zeros(len(document.candidates))]] * 3
    whole, recent, single = (standardised(np.sum(stats, axis=0)) for stats in alike)
    return whole, recent, single


def _vectors(described: Sequence[Sequence[str]], encode: Encode) -> Scores:
    """Return a unit vector for the words of each item, or zeros where there are none."""
    known = list(dict.fromkeys(word for words in described for word in words))
    vectors = dict(zip(known, encode(known).astype(np.float64), strict=True))
    width = next(iter(vectors.values())).shape
    sums = np.stack(
        [sum((vectors[word] for word in words), np.zeros(width)) for words in described]
    )
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)


def _whole_text(entry: Entry) -> list[str]:
    parts = [*_title(entry), *_facts_text(entry)]
    return [". ".join(parts)] if parts else []


def _facts_text(entry: Entry) -> list[str]:
    parts = [", ".join(values_of(cell)) for cell in entry.facts.values()]
    return [". ".join(parts)] if any(parts) else []


def _title(entry: Entry) -> list[str]:
    return [entry.title] if entry.title else []


def _facts(entry: Entry) -> list[str]:
    return [value for cell in entry.facts.values() for value in values_of(cell)]
