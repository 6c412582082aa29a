"""Rounds whole arrays as Python rounds a single number."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats

_NEAR_A_HALF = 1e-6


def rounded(values: Floats) -> Floats:
    """Round to two places as `round` does; numpy alone is off where a product falls on a half.

    Args:
        values: Values below 1e13, of any shape.
    """
    hundreds = values * 100
    rounded = np.rint(hundreds) / 100
    for place in np.argwhere(np.abs(np.abs(hundreds % 1) - 0.5) < _NEAR_A_HALF):
        rounded[tuple(place)] = round(float(values[tuple(place)]), 2)
    return rounded
