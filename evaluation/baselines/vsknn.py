"""V-SKNN: weighted session nearest neighbours, which neural models often fail to beat.

Ludewig & Jannach 2018, "Evaluation of Session-based Recommendation Algorithms"
(arXiv 1803.09587, section 3.3), with the idf weighting of its successor (arXiv 1910.12781).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ...arrays import Floats, Ints
from ...records import Session
from .base import candidates_of, items_of


class Vsknn:
    """Scores an item by the similar training sessions that hold it.

    The current session is a vector over items. The item at position p of n, the last being n,
    weighs p / n (linear decay; a repeated item counts at its last position). A training session is
    the binary vector of all its items, target included. Their similarity is the cosine: with the
    plain dot product the longest sessions would be neighbours of every session. An item i scores

        (1 + idf(i)) * sum of similarity(s) over the nearest sessions s that hold i

    where idf(i) = ln(training sessions / training sessions that hold i). Sessions that share no
    item are no neighbours, and of equally similar ones the earlier in the training data wins.
    Every training session is a possible neighbour; there is no sampling by recency, as sessions
    carry no times. `neighbours` is how many of the most similar sessions count.
    """

    name = "vsknn"

    def __init__(self, train: Sequence[Session], _seed: int, *, neighbours: int = 100) -> None:
        sets = [sorted(set(items_of(session))) for session in train]
        self.neighbours = neighbours
        self._index = {item: place for place, item in enumerate(sorted(set[str]().union(*sets)))}
        columns = [self._index[item] for items in sets for item in items]
        sizes = np.array([len(items) for items in sets], dtype=np.int64)
        rows = np.repeat(np.arange(len(sets)), sizes)
        ones, shape = np.ones(len(columns)), (len(sets), len(self._index))
        # `Any`, for scipy has no types of its own.
        self._sessions: Any = csr_array((ones, (rows, columns)), shape=shape)
        self._holders: Any = csr_array((ones, (columns, rows)), shape=shape[::-1])
        self._norms = np.sqrt(sizes)
        held = np.bincount(columns, minlength=len(self._index))
        self._weight = 1.0 + np.log(len(sets) / held)

    def score(self, session: Session) -> Floats:
        """Return neighbour scores, shape `(candidates,)`; see `Baseline.score`.

        An item that no neighbour holds scores 0.
        """
        candidates = candidates_of(session)
        scores = np.zeros(len(candidates))
        nearest, similarity = self._nearest(session.history)
        support: Floats = similarity @ self._sessions[nearest]
        known = [(place, self._index[c]) for place, c in enumerate(candidates) if c in self._index]
        if known:
            places, columns = np.array(known).T
            scores[places] = support[columns] * self._weight[columns]
        return scores

    def _nearest(self, history: Sequence[str]) -> tuple[Ints, Floats]:
        """Return the nearest sessions' places in the training data and their similarities."""
        decay = {item: place / len(history) for place, item in enumerate(history, start=1)}
        known = [item for item in decay if item in self._index]
        weights = np.array([decay[item] for item in known], dtype=np.float64)
        columns = np.array([self._index[item] for item in known], dtype=np.int64)
        shared: Floats = weights @ self._holders[columns]
        places = np.flatnonzero(shared)
        norm = math.hypot(*decay.values())
        # Rounded, so that the order of a floating-point sum cannot decide a tie.
        similarity: Floats = np.round(shared[places] / (norm * self._norms[places]), 12)
        order: Ints = np.lexsort((places, -similarity))[: self.neighbours]
        return places[order], similarity[order]
