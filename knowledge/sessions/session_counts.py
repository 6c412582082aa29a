"""Counts of what was chosen in sessions, and of what was chosen together."""

# scipy.sparse has no types of its own.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

STEPS = 10
"""Within how many steps of each other two items were chosen near each other."""

Counts = NDArray[np.float64]


class SessionCounts:
    """The counts of some sessions: of all, or of those that came with one API key.

    Args:
        chosen: Which session holds which item.
        sequences: The items of each session, as codes.
        rows: The sessions to count.
        columns: How many items there are.
    """

    def __init__(
        self,
        chosen: sparse.csr_array,
        sequences: Sequence[NDArray[np.int64]],
        rows: Sequence[int],
        columns: int,
    ) -> None:
        self.listed = np.array(rows, dtype=np.int64)
        self.rows = frozenset(rows)
        self.chosen = chosen[self.listed]
        self._by_item = self.chosen.tocsc()
        self.popularity: Counts = np.asarray(self.chosen.sum(axis=0)).ravel()
        self.near = near_counts([sequences[row] for row in rows], columns)

    def with_item(self, item: int) -> Counts:
        """Return how many sessions hold each item together with this one, shape `[columns]`."""
        held = self._by_item
        sessions = held.indices[held.indptr[item] : held.indptr[item + 1]]
        return summed(self.chosen, sessions, np.ones(len(sessions)))


def incidence(sequences: Sequence[NDArray[np.int64]], size: tuple[int, int]) -> sparse.csr_array:
    """Return which session holds which item, shape `size`."""
    distinct = [np.unique(sequence) for sequence in sequences]
    rows = np.repeat(np.arange(len(distinct)), [len(d) for d in distinct])
    columns = np.concatenate(distinct) if distinct else np.array([], dtype=np.int64)
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=size)


def near_counts(sequences: Sequence[NDArray[np.int64]], items: int) -> sparse.csr_array:
    """Count, for each pair of items, how often they were chosen within `STEPS` of each other."""
    codes = np.concatenate(sequences) if sequences else np.array([], dtype=np.int64)
    owner = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
    earlier, later = [codes[:0]], [codes[:0]]
    for step in range(1, min(STEPS, len(codes) - 1) + 1):
        same = owner[:-step] == owner[step:]
        earlier.append(codes[:-step][same])
        later.append(codes[step:][same])
    first, second = np.concatenate([*earlier, *later]), np.concatenate([*later, *earlier])
    counts = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(items, items))
    return counts.tocsr()


def summed(matrix: sparse.csr_array, rows: NDArray[np.integer], weights: Counts) -> Counts:
    """Return the weighted sum of some of a matrix's rows; scipy's ways to few rows are slow.

    Args:
        matrix: Shape `[S, C]`.
        rows: The rows to count, shape `[R]`.
        weights: Shape `[R]`.

    Returns:
        Shape `[C]`.
    """
    starts, ends = matrix.indptr[rows], matrix.indptr[rows + 1]
    lengths = ends - starts
    places = np.arange(lengths.sum()) + np.repeat(ends - lengths.cumsum(), lengths)
    values = matrix.data[places] * np.repeat(weights, lengths)
    columns: int = matrix.shape[1]  # pyright: ignore[reportOptionalSubscript]
    return np.asarray(np.bincount(matrix.indices[places], values, columns), dtype=np.float64)
