"""Scores candidates from their features and a hint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .document import RankingDocument
from .features import Feature, build_features
from .following import follow
from .likeness import Encode, Scores, standardised

HINT_WEIGHT = 1.5
"""How much a clause of a hint counts, in deviations of the score without it."""


def score(document: RankingDocument, encode: Encode) -> Scores:
    """Score the candidates by resemblance to the history, plus what the hint says to weigh.

    Returns:
        Shape `[candidates]`, higher is better.
    """
    features = build_features(document, encode)
    total = base_score(features)
    if document.hint:
        total = total + HINT_WEIGHT * follow(document.hint, features, encode)
    return total


def base_score(features: Sequence[Feature]) -> Scores:
    """Score by resemblance alone: sentence embeddings and shared attributes, one half each.

    Evidence counts only where a hint mentions it.

    Args:
        features: The features from `build_features`.

    Returns:
        Standardised, shape `[candidates]`.
    """
    halves = (
        [feature.values for feature in features if feature.resembles == half]
        for half in ("text", "attributes")
    )
    return standardised(
        np.sum([standardised(np.sum(half, axis=0)) for half in halves if half], axis=0)
    )
