"""Figures about items' attributes, whatever those are called: numbers, text or lists of text.

Shapes: `N` items of the history, oldest first; `C` candidates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .evidence_stats import Floats, share_entropy

Attributes = Sequence[Mapping[str, Any]]
"""The attributes of each item."""

NUMBER_NAMES = ("mean", "spread", "drift", "offset", "recent_spread", "max")
VALUE_NAMES = ("top_share", "entropy", "recent_top_share", "drift", "most_concentrated")
PROFILE_NAMES = ("mean", "margin", "spread")

_RECENT = 5


def main_number(items: Attributes) -> str | None:
    """Choose the numeric attribute that varies least for its size: a year rather than a score.

    It must stand on half of the items. Ties go to the first by name.

    Args:
        items: Of the history and the candidates together.

    Returns:
        Its name, or `None` if there is no such attribute.
    """
    found: dict[str, list[float]] = {}
    for attributes in items:
        for name, value in attributes.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault(name, []).append(float(value))
    variation = {
        name: float(np.std(values)) / (abs(float(np.mean(values))) + 1e-9)
        for name, values in found.items()
        if 2 * len(values) >= len(items)
    }
    return min(variation, key=lambda name: (variation[name], name), default=None)


def numeric_values(items: Attributes, name: str | None) -> Floats:
    """Return the attribute of each item, NaN where it is missing.

    Args:
        items: Of the history, or the candidates.
        name: From `main_number`.
    """
    found = (attributes.get(name) if name else None for attributes in items)
    return np.array([v if isinstance(v, int | float) else np.nan for v in found], dtype=np.float64)


def number_figures(mine: Floats, theirs: Floats) -> list[float]:
    """Describe the history's numbers beside the candidates', in units of their common deviation.

    Args:
        mine: Of the history, `[N]`, NaN where there is none.
        theirs: Of the candidates, `[C]`, likewise.

    Returns:
        One figure under each of `NUMBER_NAMES`; mean and greatest in the attribute's units.
    """
    mine, theirs = mine[~np.isnan(mine)], theirs[~np.isnan(theirs)]
    if not len(mine):
        return [0.0] * len(NUMBER_NAMES)
    recent = mine[-_RECENT:]
    unit = float(np.concatenate([mine, theirs]).std()) or 1.0
    centre = float(mine.mean())
    return [
        centre,
        float(mine.std()) / unit,
        (float(recent.mean()) - centre) / unit,
        (centre - float(theirs.mean())) / unit if len(theirs) else 0.0,
        float(recent.std()) / unit,
        float(mine.max()),
    ]


def value_figures(past: Attributes) -> list[float]:
    """Describe how the textual attributes repeat: averages over the attributes.

    Args:
        past: Of the history.

    Returns:
        One figure under each of `VALUE_NAMES`.
    """
    texts = [_texts(attributes) for attributes in past]
    whole, recent = _shares(texts), _shares(texts[-_RECENT:])
    if not whole:
        return [0.0] * len(VALUE_NAMES)
    tops = [max(shares.values()) for shares in whole.values()]
    recent_tops = [max(shares.values()) for shares in recent.values()] or [0.0]
    drift = [
        sum(abs(shares[v] - recent.get(name, {}).get(v, 0.0)) for v in shares) / len(shares)
        for name, shares in whole.items()
    ]
    spread = [share_entropy(np.array(list(shares.values()))) for shares in whole.values()]
    return [
        float(np.mean(tops)),
        float(np.mean(spread)),
        float(np.mean(recent_tops)),
        float(np.mean(drift)),
        max(tops),
    ]


def profile_scores(past: Attributes, offered: Attributes) -> Floats:
    """Return how common each candidate's textual values are in the history, `[C]`.

    Args:
        past: Of the history.
        offered: Of the candidates.
    """
    shares = _shares([_texts(attributes) for attributes in past])
    result = np.zeros(len(offered))
    for row, attributes in enumerate(offered):
        pairs = _texts(attributes)
        common = sum(shares.get(name, {}).get(value, 0.0) for name, value in pairs)
        result[row] = common / math.sqrt(len(pairs) or 1)
    return result


def profile_figures(column: Floats) -> list[float]:
    """Describe how far the history's values tell the candidates apart.

    Args:
        column: From `profile_scores`, `[C]`.

    Returns:
        One figure under each of `PROFILE_NAMES`.
    """
    if len(column) < 2:  # noqa: PLR2004
        return [0.0] * len(PROFILE_NAMES)
    first, second = np.sort(column)[::-1][:2]
    return [float(column.mean()), float(first - second), float(column.std())]


def _texts(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List an item's textual values as (attribute, value)."""
    pairs: list[tuple[str, str]] = []
    for name, value in attributes.items():
        if isinstance(value, str):
            pairs.append((name, value))
        elif isinstance(value, list | tuple):  # a check for `Sequence` takes ten times as long
            pairs.extend([(name, str(part)) for part in value])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return pairs


def _shares(items: Sequence[list[tuple[str, str]]]) -> dict[str, dict[str, float]]:
    """Return, for each attribute, the share of items that have each value."""
    counts = Counter(pair for pairs in items for pair in set(pairs))
    shares: dict[str, dict[str, float]] = {}
    for (name, value), count in counts.items():
        shares.setdefault(name, {})[value] = count / len(items)
    return shares
