"""MAE, RMSE and the share of invalid answers, with intervals.

An invalid answer counts as the rating that is furthest from the truth. Leaving it out, or scoring
it as right as the papers' public code does, would reward a model for not answering.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from ..records import RatingScale
from .bootstrap import Bootstrap


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One system's predictions: one rating per case, `None` for an invalid answer.

    `kind` is `model` or `baseline`. `invalid_samples` is the share of invalid answers among the
    samples whose means the ratings are, if they are that.
    """

    name: str
    kind: str
    ratings: Sequence[float | None]
    llm_calls: int = 0
    invalid_samples: float | None = None


def absolute_errors(
    ratings: Sequence[float | None], truths: Sequence[float], scale: RatingScale
) -> Floats:
    """Return errors of shape `(cases,)`; an invalid answer gets the largest possible error."""
    return np.array(
        [
            scale.largest_error(truth) if rating is None else abs(rating - truth)
            for rating, truth in zip(ratings, truths, strict=True)
        ]
    )


def summarise_ratings(
    rows: Sequence[RatingRow],
    truths: Sequence[float],
    scale: RatingScale,
    *,
    seed: int = 0,
    groups: Mapping[str, Sequence[bool]] | None = None,
) -> dict[str, Any]:
    """Compute MAE, RMSE and invalid answers with 95 % intervals, and paired differences in MAE.

    Args:
        truths: The users' ratings, one per case.
        groups: Names of groups of cases, such as those of new users, and which cases belong to
            them; the MAE of each is computed by itself.

    Returns:
        `n`, `scale`, `rows`, `paired`, `groups`, and `calibration` of each model; see
        `calibrate`.
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
            | ({} if row.invalid_samples is None else {"invalid_samples": row.invalid_samples})
        )
    return {
        "n": len(truths),
        "scale": [scale.low, scale.high],
        "rows": described,
        "paired": _paired(rows, errors, bootstrap),
        "groups": [
            _group(name, np.array(members, dtype=bool), rows, errors, seed)
            for name, members in (groups or {}).items()
            if any(members)
        ],
        "calibration": {
            row.name: calibrate(row.ratings, truths, seed=seed)
            for row in rows
            if row.kind == "model"
        },
    }


def calibrate(
    ratings: Sequence[float | None], truths: Sequence[float], *, seed: int = 0
) -> list[dict[str, Any]]:
    """Return what users gave where a system predicted about the same, in steps of half a point.

    Invalid answers predict nothing, so they are left out here.

    Returns:
        For each step: `predicted` and `actual` means, `ci95` of the actual one, and `n`.
    """
    steps: defaultdict[float, list[tuple[float, float]]] = defaultdict(list)
    for rating, truth in zip(ratings, truths, strict=True):
        if rating is not None:
            steps[math.floor(2 * rating + 0.5) / 2].append((rating, truth))
    described: list[dict[str, Any]] = []
    for _, pairs in sorted(steps.items()):
        predicted, actual = Bootstrap(seed=seed).means(np.array(pairs).T)
        described.append(
            {
                "predicted": round(predicted.mean, 4),
                "actual": round(actual.mean, 4),
                "ci95": actual.ends,
                "n": len(pairs),
            }
        )
    return described


def _group(
    name: str,
    members: npt.NDArray[np.bool_],
    rows: Sequence[RatingRow],
    errors: Sequence[Floats],
    seed: int,
) -> dict[str, Any]:
    intervals = Bootstrap(seed=seed).means(np.stack([error[members] for error in errors]))
    return {
        "name": name,
        "n": int(members.sum()),
        "rows": [
            {"name": row.name, "mae": round(mae.mean, 4), "ci95": mae.ends}
            for row, mae in zip(rows, intervals, strict=True)
        ],
    }


def _paired(
    rows: Sequence[RatingRow], errors: Sequence[Floats], bootstrap: Bootstrap
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
