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
    if not len(column):
        return column
    centred = column - column.mean()
    # As `std` computes it, which would take the mean once more.
    deviation = math.sqrt((centred * centred).sum() / len(column))
    return centred / (deviation or 1.0)
