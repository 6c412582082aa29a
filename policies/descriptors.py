"""Describes a session by a few dozen numbers that a small policy can learn from.

With a 384-dimensional embedding, a policy memorises its training sessions. These numbers describe
what decides whether a hint helps: how much is known about the session, how clearly each kind of
evidence points to one candidate, and whether the kinds agree. They work for any domain.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, standardised
from ..knowledge.sessions.evidence import EVIDENCE
from .session_stats import (
    KIND_NAMES,
    NUMBER_NAMES,
    PROFILE_NAMES,
    TOGETHER_NAMES,
    VALUE_NAMES,
    correlations,
    evidence_columns,
    kind_stats,
    main_number,
    number_correlations,
    number_stats,
    numeric_values,
    profile_scores,
    profile_stats,
    ranks,
    texts_of,
    together_stats,
    value_stats,
)

EVIDENCE_KINDS: tuple[str, ...] = tuple(EVIDENCE)
"""Kinds of evidence that are described separately."""

PROJECTED = 8
"""Dimensions to which the session embedding is projected."""

_GREATEST = 1e6
_PAIRS = tuple(
    (i, j) for i in range(len(EVIDENCE_KINDS)) for j in range(i + 1, len(EVIDENCE_KINDS))
)

DESCRIPTOR_NAMES: tuple[str, ...] = (
    "history_log_length",
    "candidates_log_count",
    *(f"number_{stat}" for stat in NUMBER_NAMES),
    *(f"values_{stat}" for stat in VALUE_NAMES),
    *(f"profile_{stat}" for stat in PROFILE_NAMES),
    *(f"{kind}_{stat}" for kind in EVIDENCE_KINDS for stat in KIND_NAMES),
    *(f"{EVIDENCE_KINDS[i]}~{EVIDENCE_KINDS[j]}_rank_correlation" for i, j in _PAIRS),
    *(f"{EVIDENCE_KINDS[i]}~{EVIDENCE_KINDS[j]}_same_top" for i, j in _PAIRS),
    *(f"profile~{kind}_rank_correlation" for kind in EVIDENCE_KINDS),
    *(f"number~{kind}_correlation" for kind in EVIDENCE_KINDS),
    *(f"together_{stat}" for stat in TOGETHER_NAMES),
    "embedding_length",
    *(f"embedding_{i}" for i in range(PROJECTED)),
)
"""What each dimension is, in order."""


def session_descriptors(
    history_items: Sequence[Mapping[str, Any]],
    candidate_items: Sequence[Mapping[str, Any]],
    evidence: Sequence[Mapping[str, float]],
    session_embedding: Sequence[float] | NDArray[np.floating[Any]],
) -> NDArray[np.float32]:
    """Describe a session by numbers.

    Args:
        history_items: The chosen items, oldest first, each with `attributes`.
        candidate_items: The items to rank, each with `attributes`.
        evidence: Each candidate's numbers by kind; may be empty.
        session_embedding: Mean of the history's item embeddings, `[E]`.

    Returns:
        One number for each of `DESCRIPTOR_NAMES`, `[D]`; 0 where it is unknown.
    """
    history = [item["attributes"] for item in history_items]
    offered = [item["attributes"] for item in candidate_items]
    columns = evidence_columns(evidence, EVIDENCE_KINDS, len(offered))
    profile = profile_scores(texts_of(history), texts_of(offered))
    number = main_number([*history, *offered])
    standard = [standardised(np.log1p(np.maximum(column, 0))) for column in columns]
    ranked = np.stack([ranks(column) for column in [*columns, profile]])
    tops = [int(column.argmax()) if column.any() else -1 - i for i, column in enumerate(columns)]
    agreement = correlations(ranked)
    embedding = np.asarray(session_embedding, dtype=np.float64)
    numbers = [
        math.log1p(len(history)),
        math.log1p(len(offered)),
        *number_stats(numeric_values(history, number), numeric_values(offered, number)),
        *value_stats(history),
        *profile_stats(profile),
        *(stat for pair in zip(columns, standard, strict=True) for stat in kind_stats(*pair)),
        *(agreement[i, j] for i, j in _PAIRS),
        *(float(tops[i] == tops[j]) for i, j in _PAIRS),
        *agreement[-1, :-1],
        *number_correlations(numeric_values(offered, number), standard),
        *together_stats(np.sum(standard, axis=0)),
        float(np.linalg.norm(embedding)),
        *(_projection(len(embedding)) @ embedding),
    ]
    return np.clip(np.nan_to_num(np.array(numbers)), -_GREATEST, _GREATEST).astype(np.float32)


@functools.cache
def _projection(dimensions: int) -> Floats:
    draw = np.random.default_rng(20240316).standard_normal((PROJECTED, dimensions))
    return draw / math.sqrt(PROJECTED)
