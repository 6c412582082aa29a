"""What a session is like, in a few dozen figures that a small policy can learn from.

A 384-dimensional embedding lets a policy learn its training sessions by heart. These figures say
instead what decides whether a hint helps: how much is known about the session, how clearly each
kind of evidence points to one candidate, and whether the kinds agree. They work for any domain:
attributes are numbers (a year), text or lists of text (genres), whatever they are called.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..knowledge.evidence import EVIDENCE
from .attribute_stats import (
    NUMBER_NAMES,
    PROFILE_NAMES,
    VALUE_NAMES,
    main_number,
    number_figures,
    numeric_values,
    profile_figures,
    profile_scores,
    value_figures,
)
from .evidence_stats import (
    KIND_NAMES,
    TOGETHER_NAMES,
    Floats,
    correlations,
    evidence_columns,
    kind_figures,
    number_correlations,
    ranks,
    standardised,
    together_figures,
)

EVIDENCE_KINDS: tuple[str, ...] = tuple(EVIDENCE)
"""Kinds of evidence that have figures of their own."""

PROJECTED = 8
"""Dimensions that are left of the session embedding."""

_GREATEST = 1e6
_PAIRS = tuple(
    (i, j) for i in range(len(EVIDENCE_KINDS)) for j in range(i + 1, len(EVIDENCE_KINDS))
)

DESCRIPTOR_NAMES: tuple[str, ...] = (
    "history_log_length",
    "candidates_log_count",
    *(f"number_{figure}" for figure in NUMBER_NAMES),
    *(f"values_{figure}" for figure in VALUE_NAMES),
    *(f"profile_{figure}" for figure in PROFILE_NAMES),
    *(f"{kind}_{figure}" for kind in EVIDENCE_KINDS for figure in KIND_NAMES),
    *(f"{EVIDENCE_KINDS[i]}~{EVIDENCE_KINDS[j]}_rank_correlation" for i, j in _PAIRS),
    *(f"{EVIDENCE_KINDS[i]}~{EVIDENCE_KINDS[j]}_same_top" for i, j in _PAIRS),
    *(f"profile~{kind}_rank_correlation" for kind in EVIDENCE_KINDS),
    *(f"number~{kind}_correlation" for kind in EVIDENCE_KINDS),
    *(f"together_{figure}" for figure in TOGETHER_NAMES),
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
    """Describe a session.

    Args:
        history_items: The chosen items, oldest first, each with `attributes`.
        candidate_items: The items to rank, each with `attributes`.
        evidence: For each candidate, a number under each kind's name; may be empty.
        session_embedding: Mean of the history's item embeddings, `[E]`.

    Returns:
        One figure under each of `DESCRIPTOR_NAMES`, `[D]`; 0 where a session cannot tell.
    """
    past = [item["attributes"] for item in history_items]
    offered = [item["attributes"] for item in candidate_items]
    columns = evidence_columns(evidence, EVIDENCE_KINDS, len(offered))
    profile = profile_scores(past, offered)
    number = main_number([*past, *offered])
    standard = [standardised(np.log1p(np.maximum(column, 0))) for column in columns]
    ranked = np.stack([ranks(column) for column in [*columns, profile]])
    tops = [int(column.argmax()) if column.any() else -1 - i for i, column in enumerate(columns)]
    agreement = correlations(ranked)
    embedding = np.asarray(session_embedding, dtype=np.float64)
    figures = [
        math.log1p(len(past)),
        math.log1p(len(offered)),
        *number_figures(numeric_values(past, number), numeric_values(offered, number)),
        *value_figures(past),
        *profile_figures(profile),
        *(figure for pair in zip(columns, standard, strict=True) for figure in kind_figures(*pair)),
        *(agreement[i, j] for i, j in _PAIRS),
        *(float(tops[i] == tops[j]) for i, j in _PAIRS),
        *agreement[-1, :-1],
        *number_correlations(numeric_values(offered, number), standard),
        *together_figures(np.sum(standard, axis=0)),
        float(np.linalg.norm(embedding)),
        *(_projection(len(embedding)) @ embedding),
    ]
    return np.clip(np.nan_to_num(np.array(figures)), -_GREATEST, _GREATEST).astype(np.float32)


@functools.cache
def _projection(dimensions: int) -> Floats:
    draw = np.random.default_rng(20240316).standard_normal((PROJECTED, dimensions))
    return draw / math.sqrt(PROJECTED)
