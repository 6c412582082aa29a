"""MAE, RMSE and the share of invalid answers, with intervals.

An invalid answer counts as the worst rating on the scale for its truth; leaving it out, or scoring
it as right as the papers' public code does, would reward a model for not answering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..records import RatingScale
from .bootstrap import Bootstrap
from .metrics import FloatArray


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One system's predictions.

    Attributes:
        name: Of the model or baseline.
        kind: `model` or `baseline`.
        ratings: One a case; `None` for an invalid answer.
        llm_calls: Calls made to a model.
    """

    name: str
    kind: str
    ratings: Sequence[float | None]
    llm_calls: int = 0


def absolute_errors(
    ratings: Sequence[float | None], truths: Sequence[float], scale: RatingScale
) -> FloatArray:
    """Return errors of shape `(cases,)`; an invalid answer has the largest one for its truth.

    Args:
        ratings: Predictions; `None` for an invalid answer.
        truths: What the users gave.
        scale: The ratings that can be given.
    """
    return np.array(
        [
            max(truth - scale.low, scale.high - truth) if rating is None else abs(rating - truth)
            for rating, truth in zip(ratings, truths, strict=True)
        ]
    )


def summarise_ratings(
    rows: Sequence[RatingRow], truths: Sequence[float], scale: RatingScale, *, seed: int = 0
) -> dict[str, Any]:
    """Compute the figures with 95 % intervals, and paired differences in MAE to the best row.

    Args:
        rows: All over the same cases.
        truths: What the users gave, one a case.
        scale: The ratings that can be given.
        seed: Of the bootstrap.
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
                    "mae": [round(mae.low, 4), round(mae.high, 4)],
                    "rmse": [round(mse.low**0.5, 4), round(mse.high**0.5, 4)],
                    "invalid": [round(wrong.low, 4), round(wrong.high, 4)],
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
    models = [(row, error) for row, error in zip(rows, errors, strict=True) if row.kind == "model"]
    pairs: list[dict[str, Any]] = []
    for model, error in models:
        for row, other in zip(rows, errors, strict=True):
            if row is model:
                continue
            gap = bootstrap.difference(error, other)
            pairs.append(
                {
                    "a": model.name,
                    "b": row.name,
                    "metric": "mae",
                    "diff": round(gap.mean, 4),
                    "ci95": [round(gap.low, 4), round(gap.high, 4)],
                }
            )
    return pairs
