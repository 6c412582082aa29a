"""Popularity: strong wherever negatives are drawn uniformly, so every table needs its row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from .base import candidates_of, items_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...records import Session
    from ..metrics import FloatArray


class Popularity:
    """Scores an item by the number of training sessions that hold it, as history or target.

    Attributes:
        name: Its name in reports.
    """

    name = "popularity"

    def __init__(self, train: Sequence[Session], _seed: int) -> None:
        self._sessions = Counter(item for session in train for item in set(items_of(session)))

    def score(self, session: Session) -> FloatArray:
        """Return counts of training sessions, shape `(candidates,)`; see `Baseline.score`."""
        counts = [self._sessions[item] for item in candidates_of(session)]
        return np.array(counts, dtype=np.float64)
