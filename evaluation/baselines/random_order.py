"""The floor: a random order, which a useful recommender must beat clearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import candidates_of
from .ranking import uniform_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...records import Session
    from ..metrics import FloatArray


class RandomOrder:
    """Scores every candidate with a seeded random number.

    Attributes:
        name: Its name in reports.
    """

    name = "random"

    def __init__(self, _train: Sequence[Session], seed: int) -> None:
        self._seed = seed

    def score(self, session: Session) -> FloatArray:
        """Return uniform numbers in [0, 1), shape `(candidates,)`; see `Baseline.score`."""
        return uniform_keys(session, candidates_of(session), self._seed)
