"""Item factors from past sessions: a truncated singular value decomposition of the session matrix.

A session is a row with equal weights and unit length. The score of a candidate is the product of
its factors and the sum of the history's, as in PureSVD (Cremonesi, Koren & Turrin, RecSys 2010).
"""

# scipy.sparse has no types of its own.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

SIZES = (32, 128)
"""Numbers of factors: few show what is broadly alike, many show what goes together."""
RECENT = 5

FACTOR_NAMES: tuple[str, ...] = tuple(
    f"factors_{size}_{part}" for part in ("history", "recent") for size in SIZES
)
"""Columns of `ItemFactors.scores`."""


@dataclass(frozen=True, slots=True)
class ItemFactors:
    """The factors of the items that training sessions hold.

    Attributes:
        places: Each known item's row.
        factors: The factors for each of `SIZES`, shape `[items, size]`; `size` is smaller in a
            small catalogue.
    """

    places: Mapping[str, int]
    factors: Sequence[NDArray[np.float32]]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[str]]) -> ItemFactors:
        """Decompose the session matrix. Blocks; the same sessions give the same scores.

        Args:
            sequences: The items of each session.
        """
        places = {item: row for row, item in enumerate(sorted({i for s in sequences for i in s}))}
        rows = [sorted({places[item] for item in sequence}) for sequence in sequences]
        weights = np.repeat([len(row) ** -0.5 for row in rows if row], [len(r) for r in rows if r])
        columns = np.array([place for row in rows for place in row], dtype=np.int64)
        owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        shape = (len(rows), len(places))
        matrix = sparse.csr_array((weights, (owners, columns)), shape=shape)
        return cls(places, [_factors(matrix, size) for size in SIZES])

    def scores(self, history: Sequence[str], candidates: Sequence[str]) -> NDArray[np.float64]:
        """Score candidates beside a history.

        Returns:
            Shape `[candidates, 4]`, columns as in `FACTOR_NAMES`; 0 for unknown items.
        """
        rows = np.array([self.places.get(item, -1) for item in candidates], dtype=np.int64)
        known = rows >= 0
        result = np.zeros((len(candidates), len(FACTOR_NAMES)))
        for part, chosen in enumerate((history, history[-RECENT:])):
            past = sorted({self.places[item] for item in chosen if item in self.places})
            if not past:
                continue
            for place, factors in enumerate(self.factors):
                taste = factors[past].sum(axis=0) / len(chosen) ** 0.5
                result[known, part * len(SIZES) + place] = factors[rows[known]] @ taste
        return result


def _factors(matrix: Any, size: int) -> NDArray[np.float32]:
    smallest = min(matrix.shape)
    size = min(size, smallest - 1)
    if size < 1:
        return np.zeros((matrix.shape[1], 1), dtype=np.float32)
    from scipy.sparse.linalg import svds  # noqa: PLC0415  # only a fit needs it, and it is slow to load

    start = np.random.default_rng(0).standard_normal(smallest)
    found: Any = svds(matrix, k=size, v0=start)
    return np.ascontiguousarray(found[2].T, dtype=np.float32)
