"""Types of numpy arrays. Docstrings give their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
"""Embeddings, and weights of networks."""
AnyFloats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
