"""Figures about the evidence beside the candidates: how much, how clear, how much in agreement.

Shapes: `C` candidates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KIND_NAMES = ("log_mean", "log_max", "nonzero", "margin", "entropy", "top_z", "second_z")
TOGETHER_NAMES = ("top_z", "margin", "top5_z")


def evidence_columns(
    evidence: Sequence[Mapping[str, Any]], kinds: Sequence[str], candidates: int
) -> list[Floats]:
    """Return each kind's number beside each candidate, 0 where there is none, `[C]` each.

    Args:
        evidence: Of each candidate, numbers by kind; empty if there is none at all.
        kinds: In order.
        candidates: `C`.
    """
    if len(evidence) != candidates:
        return [np.zeros(candidates) for _ in kinds]
    rows = [[row.get(kind, 0.0) for kind in kinds] for row in evidence]
    return list(np.array(rows, dtype=np.float64).reshape(candidates, -1).T)


def kind_figures(column: Floats, standard: Floats) -> list[float]:
    """Describe one kind of evidence: how much there is, and how clearly it points to one.

    Args:
        column: The numbers themselves, `[C]`.
        standard: Their logarithms, standardised, `[C]`.

    Returns:
        One figure under each of `KIND_NAMES`.
    """
    if len(column) < 2 or column.max() <= 0:  # noqa: PLR2004
        return [0.0] * len(KIND_NAMES)
    positive = np.maximum(column, 0)
    first, second = np.sort(positive)[::-1][:2]
    ordered = np.sort(standard)[::-1]
    return [
        math.log1p(float(positive.mean())),
        math.log1p(float(first)),
        float((positive > 0).mean()),
        float((first - second) / first),
        share_entropy(positive),
        float(ordered[0]),
        float(ordered[1]),
    ]


def together_figures(total: Floats) -> list[float]:
    """Describe the candidates that all kinds of evidence together put first.

    Args:
        total: Sum of the kinds' standardised columns, `[C]`.

    Returns:
        One figure under each of `TOGETHER_NAMES`.
    """
    if len(total) < 2:  # noqa: PLR2004
        return [0.0] * len(TOGETHER_NAMES)
    ordered = np.sort(total)[::-1]
    return [float(ordered[0]), float(ordered[0] - ordered[1]), float(ordered[:5].mean())]


def number_correlations(theirs: Floats, standard: Sequence[Floats]) -> list[float]:
    """Return each kind's correlation with the numeric attribute over the candidates that have it.

    Args:
        theirs: The attribute, `[C]`, NaN where it is missing.
        standard: Of each kind, its standardised column, `[C]`.
    """
    known = ~np.isnan(theirs)
    if known.sum() < 2:  # noqa: PLR2004
        return [0.0] * len(standard)
    number = standardised(theirs[known])
    return [float((number * column[known]).mean()) for column in standard]


def ranks(column: Floats) -> Floats:
    """Return ranks in which equal values share their mean rank."""
    ordered = np.sort(column)
    below, upto = (np.searchsorted(ordered, column, side) for side in ("left", "right"))
    return (below + upto - 1) / 2


def correlations(rows: Floats) -> Floats:
    """Return the correlation of each pair of rows, 0 where a row is constant."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1)
    return (centred @ centred.T) / np.maximum(np.outer(lengths, lengths), 1e-9)


def standardised(column: Floats) -> Floats:
    """Return a column with mean 0 and deviation 1; a constant one becomes 0."""
    if not len(column):
        return column
    return (column - column.mean()) / (float(column.std()) or 1.0)


def share_entropy(weights: Floats) -> float:
    """Return the entropy of non-negative weights as a share of the greatest possible one."""
    positive = weights[weights > 0]
    if len(positive) < 2:  # noqa: PLR2004
        return 0.0
    shares = positive / positive.sum()
    return float(-(shares * np.log(shares)).sum() / math.log(len(weights)))
