"""Types of numpy arrays, and how their values are compared. Docstrings give their shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
"""Embeddings, and weights of networks."""
AnyFloats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def standardised(column: Floats) -> Floats:
    """Return a column `[N]` with mean 0 and deviation 1; a constant one becomes 0."""
    centred, deviation = centred_and_deviation(column)
    return centred / (deviation or 1.0)


def centred_and_deviation(column: Floats) -> tuple[Floats, float]:
    """Return a column `[N]` with mean 0, and its deviation: exactly 0 if it is constant."""
    # The mean of equal floats is not always that float.
    if not len(column) or (column == column[0]).all():
        return np.zeros_like(column), 0.0
    centred = column - column.mean()
    # As `std` computes it, which would take the mean once more.
    return centred, math.sqrt((centred * centred).sum() / len(column))
