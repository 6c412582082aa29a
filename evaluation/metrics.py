"""Rank-based metrics for sessions with one relevant item each.

With a single relevant item, the ideal discounted gain is 1, so NDCG@k is
`1 / log2(rank + 1)` for a rank of at most k (Järvelin & Kekäläinen 2002). A session whose target
was not ranked scores 0 and stays in the mean: dropping it would reward leaving items out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import Floats, Ints
from ..errors import InputError
from ..rank_metrics import discount

DEFAULT_METRICS: tuple[str, ...] = ("hr@5", "ndcg@5", "hr@10", "ndcg@10", "mrr")
"""The columns of every report unless others are asked for."""

MISSING = 0
"""The rank of a target that was not ranked."""

_NAME = re.compile(r"(hr|ndcg|mrr)(?:@([1-9]\d*))?")


def target_rank(ranking: Sequence[str], target: str) -> int:
    """Return the target's 1-based rank (of a repeated id the first), or `MISSING` (0)."""
    return ranking.index(target) + 1 if target in ranking else MISSING


def ndcg(ranking: Sequence[str], target: str, k: int) -> float:
    """Return NDCG@k of one session, in [0, 1]."""
    return score_ranks([target_rank(ranking, target)], [f"ndcg@{k}"])[f"ndcg@{k}"].item()


def score_ranks(
    ranks: Ints | Sequence[int], metrics: Sequence[str] = DEFAULT_METRICS
) -> Mapping[str, Floats]:
    """Turn ranks into metrics, one value per session, so that means and intervals can follow.

    Args:
        ranks: Shape `(sessions,)`: the target's 1-based rank, `MISSING` (0) where it has none.
        metrics: Names such as `hr@5`, `ndcg@10`, `mrr` or `mrr@10`, with any cut-off k >= 1.

    Returns:
        A metric's name -> float64 array of shape `(sessions,)`, each value in [0, 1].

    Raises:
        InputError: A name is unknown, or the ranks are not a list of integers >= 0.
    """
    array = np.asarray(ranks)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or bool((array < 0).any()):
        raise InputError(
            "ranks",
            f"has shape {array.shape} and type {array.dtype}, or negative values.",
            "Give one integer a session: 1 for the first place, 0 for a missing target.",
        )
    return {name: _score(array.astype(np.int64), *_parse(name)) for name in metrics}


def _parse(name: str) -> tuple[str, int | None]:
    """Split `ndcg@10` into its kind and its cut-off."""
    match = _NAME.fullmatch(name)
    if match is None or (match[2] is None and match[1] != "mrr"):
        raise InputError(
            "metrics",
            f"{name!r} is not a metric.",
            "Use hr@K, ndcg@K or mrr, with K a whole number from 1, such as ndcg@10.",
        )
    return match[1], int(match[2]) if match[2] else None


def _score(ranks: Ints, kind: str, k: int | None) -> Floats:
    """Score each rank; those beyond the cut-off, and missing ones, get 0."""
    counted = (ranks != MISSING) if k is None else (ranks != MISSING) & (ranks <= k)
    safe = np.maximum(ranks, 1).astype(np.float64)
    if kind == "hr":
        gain = np.ones_like(safe)
    elif kind == "ndcg":
        gain = discount(safe)
    else:
        gain = 1.0 / safe
    return np.where(counted, gain, 0.0)
