"""MAE, RMSE and the share of invalid answers, with intervals.

An invalid answer counts as the rating that is furthest from the truth. Leaving it out, or scoring
it as right as the papers' public code does, would reward a model for not answering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from ..records import RatingScale
from .bootstrap import Bootstrap
from .metrics import FloatArray


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One system's predictions: one rating per case, `None` for an invalid answer.

    `kind` is `model` or `baseline`.
    """

    name: str
    kind: str
    ratings: Sequence[float | None]
    llm_calls: int = 0


def absolute_errors(
    ratings: Sequence[float | None], truths: Sequence[float], scale: RatingScale
) -> FloatArray:
    """Return errors of shape `(cases,)`; an invalid answer gets the largest possible error."""
    return np.array(
        [
            max(truth - scale.low, scale.high - truth) if rating is None else abs(rating - truth)
            for rating, truth in zip(ratings, truths, strict=True)
        ]
    )


def summarise_ratings(
    rows: Sequence[RatingRow], truths: Sequence[float], scale: RatingScale, *, seed: int = 0
) -> dict[str, Any]:
    """Compute MAE, RMSE and invalid answers with 95 % intervals, and paired differences in MAE.

    Args:
        truths: The users' ratings, one per case.
    """
    bootstrap = Bootstrap(seed=seed)
    errors = [absolute_errors(row.ratings, truths, scale) for row in rows]
    described: list[dict[str, Any]] = []
    for row, error in zip(rows, errors, strict=True):
        invalid = np.array([rating is None for rating in row.ratings], dtype=np.float64)
        mae, mse, wrong = bootstrap.means(np.stack([error, error**2, invalid]))
        described.append(
            {
                "name": row.name,
                "kind": row.kind,
                "mae": round(mae.mean, 4),
                "rmse": round(mse.mean**0.5, 4),
                "invalid": round(wrong.mean, 4),
                "ci95": {
                    "mae": mae.ends,
                    "rmse": [round(mse.low**0.5, 4), round(mse.high**0.5, 4)],
                    "invalid": wrong.ends,
                },
                "llm_calls": row.llm_calls,
            }
        )
    return {
        "n": len(truths),
        "scale": [scale.low, scale.high],
        "rows": described,
        "paired": _paired(rows, errors, bootstrap),
    }


def _paired(
    rows: Sequence[RatingRow], errors: Sequence[FloatArray], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    """Compare each model with every other row."""
    pairs: list[dict[str, Any]] = []
    for (model, error), (row, other) in permutations(zip(rows, errors, strict=True), 2):
        if model.kind == "model":
            gap = bootstrap.difference(error, other)
            diff = round(gap.mean, 4)
            names = {"a": model.name, "b": row.name}
            pairs.append({**names, "metric": "mae", "diff": diff, "ci95": gap.ends})
    return pairs
