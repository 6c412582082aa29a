"""What the rank of the one relevant item is worth, and when a mean of that is beyond doubt."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

CUTOFF = 10
"""A target below this rank counts nothing, and is a miss however many candidates there are."""
HIT_SHARE = 5
"""A hit is among the best fifth of the candidates."""
BEYOND_DOUBT = 1.645
"""Standard errors to the end of a two-sided 90 % interval, or of a one-sided one of 95 %."""


def discount(rank: ArrayLike) -> NDArray[np.float64]:
    """Return what a place in a ranking is worth (DCG): 1 for the first, less for later ones.

    Args:
        rank: 1 is best; of any shape.

    Returns:
        In that shape, within (0, 1].
    """
    return 1 / np.log2(np.asarray(rank, np.float64) + 1)


def ndcgs(ranks: ArrayLike) -> NDArray[np.float64]:
    """Return NDCG@10 of the one relevant item of each ranking.

    Args:
        ranks: 1 is best; of any shape.

    Returns:
        In that shape, within [0, 1].
    """
    return np.where(np.asarray(ranks) <= CUTOFF, discount(ranks), 0.0)


def ndcg(rank: int) -> float:
    """Return NDCG@10 of the one relevant item, which has a rank from 1."""
    return float(ndcgs(rank))


def hit_ranks(candidates: int) -> int:
    """Return how many ranks count as a hit: the best fifth, at least 1 and at most `CUTOFF`.

    Of 20 candidates, rank 10 is what chance would give, so there is something to learn from it.
    """
    return min(CUTOFF, max(1, math.ceil(candidates / HIT_SHARE)))
