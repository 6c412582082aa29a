"""Statistics of a session's attributes and evidence, the parts of its descriptor.

Attributes may be numbers, text or lists of text, under any name.

Shapes: `N` items of the history, oldest first; `C` candidates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from ..arrays import Floats, standardised
from ..records import textual_values

Attributes = Sequence[Mapping[str, Any]]
"""The attributes of each item."""
_Value = TypeVar("_Value", bound=Hashable)

NUMBER_NAMES = ("mean", "spread", "drift", "offset", "recent_spread", "max")
VALUE_NAMES = ("top_share", "entropy", "recent_top_share", "drift", "most_concentrated")
PROFILE_NAMES = ("mean", "margin", "spread")
KIND_NAMES = ("log_mean", "log_max", "nonzero", "margin", "entropy", "top_z", "second_z")
TOGETHER_NAMES = ("top_z", "margin", "top5_z")

_RECENT = 5
_NUMBER = (int, float)  # `int | float` would be made for each value, which takes longer


def main_number(items: Attributes) -> str | None:
    """Choose the numeric attribute that varies least for its size: a year rather than a score.

    At least half of the items must have it. Ties go to the first by name.
    """
    found: dict[str, list[float]] = {}
    for attributes in items:
        for name, v in attributes.items():
            if isinstance(v, _NUMBER) and not isinstance(v, bool):
                found.setdefault(name, []).append(v)
    variation: dict[str, float] = {}
    for name, numbers in found.items():
        if 2 * len(numbers) >= len(items):
            values = np.array(numbers, dtype=np.float64)
            variation[name] = float(values.std()) / (abs(float(values.mean())) + 1e-9)
    return min(variation, key=lambda name: (variation[name], name), default=None)


def numeric_values(items: Attributes, name: str | None) -> Floats:
    """Return the attribute of each item, NaN where it is missing; shape `[items]`."""
    if not name:
        return np.full(len(items), np.nan)
    found = [attributes.get(name) for attributes in items]
    return np.array([v if isinstance(v, _NUMBER) else np.nan for v in found], dtype=np.float64)


def number_stats(history: Floats, offered: Floats) -> list[float]:
    """Compare the history's numbers `[N]` with the candidates' `[C]`; see `NUMBER_NAMES`.

    Mean and maximum are in the attribute's units, the others in their common deviation.
    """
    history, offered = history[~np.isnan(history)], offered[~np.isnan(offered)]
    if not len(history):
        return [0.0] * len(NUMBER_NAMES)
    recent = history[-_RECENT:]
    unit = float(np.concatenate([history, offered]).std()) or 1.0
    mean = float(history.mean())
    return [
        mean,
        float(history.std()) / unit,
        (float(recent.mean()) - mean) / unit,
        (mean - float(offered.mean())) / unit if len(offered) else 0.0,
        float(recent.std()) / unit,
        float(history.max()),
    ]


def value_stats(history: Attributes) -> list[float]:
    """Describe how textual values repeat, averaged over the attributes; see `VALUE_NAMES`."""
    texts = texts_of(history)
    whole, recent = _shares(texts), _shares(texts[-_RECENT:])
    if not whole:
        return [0.0] * len(VALUE_NAMES)
    tops = [max(shares.values()) for shares in whole.values()]
    recent_tops = [max(shares.values()) for shares in recent.values()] or [0.0]
    drift = [
        sum(abs(shares[v] - recent.get(name, {}).get(v, 0.0)) for v in shares) / len(shares)
        for name, shares in whole.items()
    ]
    entropy = [_share_entropy(np.array(list(shares.values()))) for shares in whole.values()]
    return [
        float(np.mean(tops)),
        float(np.mean(entropy)),
        float(np.mean(recent_tops)),
        float(np.mean(drift)),
        max(tops),
    ]


def profile_scores(
    history: Sequence[Sequence[Hashable]], offered: Sequence[Sequence[Hashable]]
) -> Floats:
    """Return how common each candidate's textual values are in the history, `[C]`.

    Args:
        history: The values of each item.
        offered: Likewise.
    """
    share = {value: count / len(history) for value, count in _counts(history).items()}
    common = [sum([share[value] for value in values if value in share]) for values in offered]
    return np.array(common, dtype=np.float64) / np.sqrt([len(values) or 1 for values in offered])


def profile_stats(scores: Floats) -> list[float]:
    """Describe how far the profile scores `[C]` tell candidates apart; see `PROFILE_NAMES`."""
    if len(scores) <= 1:
        return [0.0] * len(PROFILE_NAMES)
    first, second = np.sort(scores)[::-1][:2]
    return [float(scores.mean()), float(first - second), float(scores.std())]


def evidence_columns(
    evidence: Sequence[Mapping[str, Any]], kinds: Sequence[str], candidates: int
) -> list[Floats]:
    """Return each kind's number for each candidate, 0 where there is none, `[C]` each."""
    if len(evidence) != candidates:
        return [np.zeros(candidates) for _ in kinds]
    rows = [[row.get(kind, 0.0) for kind in kinds] for row in evidence]
    return list(np.array(rows, dtype=np.float64).reshape(candidates, -1).T)


def kind_stats(column: Floats, standard: Floats) -> list[float]:
    """Describe how much evidence of one kind there is and how clear it is; see `KIND_NAMES`.

    `column` has the numbers themselves, `standard` their standardised logarithms; both `[C]`.
    """
    if len(column) <= 1 or column.max() <= 0:
        return [0.0] * len(KIND_NAMES)
    positive = np.maximum(column, 0)
    first, second = np.sort(positive)[::-1][:2]
    ordered = np.sort(standard)[::-1]
    return [
        math.log1p(float(positive.mean())),
        math.log1p(float(first)),
        float((positive > 0).mean()),
        float((first - second) / first),
        _share_entropy(positive),
        float(ordered[0]),
        float(ordered[1]),
    ]


def together_stats(total: Floats) -> list[float]:
    """Describe the best candidates by the sum `[C]` of standardised kinds; see `TOGETHER_NAMES`."""
    if len(total) <= 1:
        return [0.0] * len(TOGETHER_NAMES)
    ordered = np.sort(total)[::-1]
    return [float(ordered[0]), float(ordered[0] - ordered[1]), float(ordered[:5].mean())]


def number_correlations(numbers: Floats, standard: Sequence[Floats]) -> list[float]:
    """Return each kind's correlation with a numeric attribute `[C]`, where that is not NaN."""
    known = ~np.isnan(numbers)
    if known.sum() <= 1:
        return [0.0] * len(standard)
    number = standardised(numbers[known])
    return [float((number * column[known]).mean()) for column in standard]


def ranks(column: Floats) -> Floats:
    """Return ranks from 0, `[N]`, in which equal values share their mean rank."""
    ordered = np.sort(column)
    below, upto = (np.searchsorted(ordered, column, side) for side in ("left", "right"))
    return (below + upto - 1) / 2


def correlations(rows: Floats) -> Floats:
    """Return the correlation of each pair of rows, `[R, R]`; 0 where a row is constant."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1)
    return (centred @ centred.T) / np.maximum(np.outer(lengths, lengths), 1e-9)


def _share_entropy(weights: Floats) -> float:
    """Return the entropy of non-negative weights as a share of the maximum."""
    positive = weights[weights > 0]
    if len(positive) <= 1:
        return 0.0
    shares = positive / positive.sum()
    return float(-(shares * np.log(shares)).sum() / math.log(len(weights)))


def texts_of(items: Attributes) -> list[list[tuple[str, str]]]:
    """List each item's textual values as (attribute, value)."""
    return [textual_values(attributes) for attributes in items]


def _counts(items: Sequence[Sequence[_Value]]) -> Counter[_Value]:
    """Return how many items have each value."""
    return Counter(value for values in items for value in set(values))


def _shares(items: Sequence[list[tuple[str, str]]]) -> dict[str, dict[str, float]]:
    """Return, for each attribute, the share of items that have each value."""
    shares: dict[str, dict[str, float]] = {}
    for (name, value), count in _counts(items).items():
        shares.setdefault(name, {})[value] = count / len(items)
    return shares
