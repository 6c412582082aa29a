"""Turns an experiment's rows into the figures that people and programs read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from .bootstrap import Bootstrap
from .experiment import Row
from .metrics import DEFAULT_METRICS, FloatArray, score_ranks

CUTOFFS = (5, 10)
_COMPARED = "ndcg@10"


def summarise(rows: Sequence[Row], *, seed: int = 0) -> dict[str, Any]:
    """Compute means, 95 % intervals and paired differences.

    Args:
        rows: Of one experiment: all over the same sessions.
        seed: Of the bootstrap.

    Returns:
        The document that `evaluate --json` writes: `n`, `k`, `rows` and `paired`. The difference
        of each two rows in NDCG@10 is better minus worse.
    """
    bootstrap = Bootstrap(seed=seed)
    values = [score_ranks(row.ranks, DEFAULT_METRICS) for row in rows]
    described: list[dict[str, Any]] = []
    for row, scores in zip(rows, values, strict=True):
        intervals = bootstrap.means(np.stack([scores[name] for name in DEFAULT_METRICS]))
        described.append(
            {
                "name": row.name,
                "kind": row.kind,
                **{
                    name: round(interval.mean, 4)
                    for name, interval in zip(DEFAULT_METRICS, intervals, strict=True)
                },
                "ci95": {
                    name: [round(interval.low, 4), round(interval.high, 4)]
                    for name, interval in zip(DEFAULT_METRICS, intervals, strict=True)
                },
                "llm_calls": row.llm_calls,
                "flags": dict(row.flags),
                "faults": dict(row.faults),
            }
        )
    return {
        "n": len(rows[0].ranks) if rows else 0,
        "k": list(CUTOFFS),
        "rows": described,
        "paired": _paired(rows, values, bootstrap),
    }


def _paired(
    rows: Sequence[Row], values: Sequence[Mapping[str, FloatArray]], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    labels = _labels(rows)
    gains = sorted(
        zip(labels, (scores[_COMPARED] for scores in values), strict=True),
        key=lambda labelled: -float(labelled[1].mean()),
    )
    pairs = list(combinations(gains, 2))
    if not pairs:
        return []
    intervals = bootstrap.differences(
        np.stack([better for (_, better), _ in pairs]), np.stack([worse for _, (_, worse) in pairs])
    )
    return [
        {
            "a": a,
            "b": b,
            "metric": _COMPARED,
            "diff": round(interval.mean, 4),
            "ci95": [round(interval.low, 4), round(interval.high, 4)],
        }
        for ((a, _), (b, _)), interval in zip(pairs, intervals, strict=True)
    ]


def _labels(rows: Sequence[Row]) -> list[str]:
    """Name each row; a policy and a baseline of the same name are told apart by their kind."""
    times = Counter(row.name for row in rows)
    return [row.name if times[row.name] == 1 else f"{row.kind}:{row.name}" for row in rows]
