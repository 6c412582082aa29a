"""Says what the offline ranker takes a hint to mean, for the person who wrote it."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from ..embedding.embeddings import get_embedder
from .clauses import clauses
from .features import Feature, build_features
from .following import clause_weights
from .reading import read_ranking_task

_TOO_FAINT = 0.05
"""Strength times weight below which a feature hardly moves a candidate."""
_MOST_NAMED = 3


def understood(hint: str, messages: Sequence[BaseMessage]) -> list[str]:
    """Name what each clause of a hint makes the offline ranker weigh in a task. Blocks.

    Returns:
        For each clause that counts, what it weighs in words, with signed weights, such as
        `what people with a similar session chose +0.87`. Empty where nothing is understood.
    """
    task = read_ranking_task(messages)
    if task is None:
        return []
    encode = get_embedder().encode
    features = build_features(task, encode)
    readings: list[str] = []
    for clause in clauses(hint):
        meant = clause_weights(clause, features, encode)
        weighed = [
            (_in_words(feature), meant.strength * float(weight))
            for feature, weight in zip(meant.features, meant.weights, strict=True)
        ]
        heaviest = sorted(weighed, key=lambda pair: -abs(pair[1]))[:_MOST_NAMED]
        named = [f"{name} {weight:+.2f}" for name, weight in heaviest if abs(weight) >= _TOO_FAINT]
        if named:
            readings.append(", ".join(named))
    return readings


def _in_words(feature: Feature) -> str:
    return feature.more[0] if feature.more else feature.name
