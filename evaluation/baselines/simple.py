"""The simplest baselines: a random order, and popularity.

Popularity is strong wherever negatives are drawn uniformly, so every table needs its row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...arrays import Floats
from ...records import Session
from .base import candidates_of, items_of, uniform_keys


class RandomOrder:
    """Scores every candidate with a seeded random number."""

    name = "random"

    def __init__(self, _train: Sequence[Session], seed: int) -> None:
        self._seed = seed

    def score(self, session: Session) -> Floats:
        """Return uniform numbers in [0, 1), shape `(candidates,)`; see `Baseline.score`."""
        return uniform_keys(session, candidates_of(session), self._seed)


class Popularity:
    """Scores an item by the number of training sessions that hold it, as history or target."""

    name = "popularity"

    def __init__(self, train: Sequence[Session], _seed: int) -> None:
        self._sessions = Counter(item for session in train for item in set(items_of(session)))

    def score(self, session: Session) -> Floats:
        """Return counts of training sessions, shape `(candidates,)`; see `Baseline.score`."""
        counts = [self._sessions[item] for item in candidates_of(session)]
        return np.array(counts, dtype=np.float64)
