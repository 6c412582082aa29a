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
"""Two items were chosen near each other if they are at most this many steps apart."""

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
        self.chosen = chosen[self.listed]
        self._by_item = self.chosen.tocsc()
        self.popularity: Counts = np.asarray(self.chosen.sum(axis=0)).ravel()
        self.near = near_counts([sequences[row] for row in rows], columns)

    def with_item(self, item: int, leave_out: NDArray[np.int64]) -> Counts:
        """Return how many sessions hold each item together with this one, shape `[columns]`.

        Args:
            leave_out: Rows of sessions that do not count.
        """
        held = self._by_item
        sessions = held.indices[held.indptr[item] : held.indptr[item + 1]]
        if len(leave_out):
            sessions = sessions[~np.isin(self.listed[sessions], leave_out)]
        return summed(self.chosen, sessions, np.ones(len(sessions)))


def incidence(sequences: Sequence[NDArray[np.int64]], size: tuple[int, int]) -> sparse.csr_array:
    """Return which session holds which item, shape `size`."""
    distinct = [np.unique(sequence) for sequence in sequences]
    rows = np.repeat(np.arange(len(distinct)), [len(d) for d in distinct])
    columns = np.concatenate(distinct) if distinct else np.array([], dtype=np.int64)
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=size)


def near_counts(sequences: Sequence[NDArray[np.int64]], items: int) -> sparse.csr_array:
    """Count, for each pair of items, how often they were chosen within `STEPS` of each other.

    Args:
        sequences: The items of each session, as codes below `items`.

    Returns:
        Shape `[items, items]`, symmetric.
    """
    codes, owner = joined_up(sequences)
    earlier, later = [codes[:0]], [codes[:0]]
    for step in range(1, min(STEPS, len(codes) - 1) + 1):
        same = owner[:-step] == owner[step:]
        earlier.append(codes[:-step][same])
        later.append(codes[step:][same])
    first, second = np.concatenate([*earlier, *later]), np.concatenate([*later, *earlier])
    counts = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(items, items))
    return counts.tocsr()


def near_items(
    sequences: Sequence[NDArray[np.int64]], near: NDArray[np.int64], items: int
) -> Counts:
    """Sum the rows of some items in `near_counts`, without counting the other pairs.

    Args:
        near: The items; one that is there twice counts twice.

    Returns:
        Shape `[items]`.
    """
    codes, owner = joined_up(sequences)
    weights = np.bincount(near, minlength=items)[codes]
    places = np.flatnonzero(weights)
    found = np.zeros(items)
    for step in (*range(-STEPS, 0), *range(1, STEPS + 1)):
        others = places + step
        there = (others >= 0) & (others < len(codes))
        mine, others = places[there], others[there]
        same = owner[mine] == owner[others]
        found += np.bincount(codes[others[same]], weights[mine[same]], items)
    return found


def joined_up(
    sequences: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the items of all sessions one after the other, and of which session each is.

    Returns:
        Codes and rows of sessions, shape `[N]` each, where `N` is the length of all together.
    """
    codes = np.concatenate(sequences) if sequences else np.array([], dtype=np.int64)
    return codes, np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])


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
