"""How close items stand to each other in the catalogue's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import Floats

_WEIGHTS = (1.0, 2.0, 4.0)
"""Weights of the places of the last items, oldest first."""


def listed_near(
    places: Mapping[str, int], history: Sequence[str], candidates: Sequence[str]
) -> Floats:
    """Return how close candidates stand to the last items of a history.

    Args:
        places: Places of the items in the catalogue, by id; an item without one is left out.
        history: Item ids, oldest first.

    Returns:
        1,000 for the same place, falling with the distance; shape `[candidates]`.
    """
    recent = [places[item] for item in history if item in places][-len(_WEIGHTS) :]
    if not recent:
        return np.zeros(len(candidates))
    weights = np.array(_WEIGHTS[-len(recent) :])
    own = np.array([places.get(item, np.inf) for item in candidates])
    apart = np.log1p(np.abs(own[:, None] - np.array(recent)))
    return 1000 * np.exp(-(apart @ weights) / weights.sum())
