"""What the trials of a store's hints show, hint by hint."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...knowledge.hint_store.stats import ENOUGH, loses
from ...knowledge.schema.tables import SHRINKAGE
from ...rank_metrics import BEYOND_DOUBT
from .proof import (
    EARLY,
    FIRST_LOOK,
    Gains,
    Summary,
    is_hopeless,
    p_value,
    predictive_power,
    proof_level,
    summary_of,
    typical_loss,
)
from .tidy_store import Store
from .verification import verification

FEW_TO_PROVE = 96
"""Sessions below which a missing proof is no reason to retire a hint."""
_LATELY = 3.1
"""Standard errors by which the newest sessions alone must show a loss."""


class Measured:
    """What the trials of a store's hints show; each is named by its row.

    Args:
        store: What is known.

    Attributes:
        summaries: What the gains of each sum up to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tried: list[Gains] = [row[~np.isnan(row)] for row in store.gains]
        self.summaries: list[Summary] = [summary_of(gains) for gains in self._tried]
        self._loss = typical_loss(store.gains) if store.loss is None else store.loss
        self._ps = [p_value(gains, self._loss) for gains in self._tried]
        self._level = proof_level(self._ps, store.tested)

    def is_tried(self, row: int) -> bool:
        """Return whether a hint was tried often enough to be looked at."""
        return self.summaries[row].n >= FIRST_LOOK

    def is_proven(self, row: int) -> bool:
        """Return whether a hint gains for certain."""
        n, planned = self.summaries[row].n, self._store.planned[row]
        needed = self._level if n >= planned else EARLY * self._level
        return n >= min(FEW_TO_PROVE, planned) and self._ps[row] <= needed

    def is_hopeless(self, row: int) -> bool:
        """Return whether more trials would hardly prove a hint."""
        planned = self._store.planned[row]
        return self.is_tried(row) and is_hopeless(
            self._tried[row], planned, self._level, self._loss
        )

    def is_verified(self, row: int) -> bool:
        """Return whether a hint is verified: `learn` would take it for its gain."""
        return verification(self._tried[row].tolist()).low > 0

    def is_idle(self, row: int) -> bool:
        """Return whether a hint has changed nothing."""
        return not self._tried[row].any()

    def harms(self, row: int) -> bool:
        """Return whether a hint harms, over all its trials."""
        found = self.summaries[row]
        return found.n >= ENOUGH and _loses(found, BEYOND_DOUBT)

    def harm_lately(self, row: int) -> str | None:
        """Say what harm the newest sessions show; `None` if they show none."""
        newest = self._store.gains[row, : self._store.newest]
        gains = newest[~np.isnan(newest)]
        found = summary_of(gains)
        if found.n < FIRST_LOOK or not _loses(found, _LATELY):
            return None
        return f"On the newest sessions: {verification(gains.tolist())}"

    def promise(self, row: int) -> float:
        """Return the mean gain, shrunk: few trials prove little."""
        found = self.summaries[row]
        return found.mean * found.n / (found.n + SHRINKAGE)

    def why_hopeless(self, row: int) -> str:
        """Say what more trials would bring, or how far a hint is from a proof."""
        planned = self._store.planned[row]
        if len(self._tried[row]) < planned:
            power = predictive_power(self._tried[row], planned, self._level, self._loss)
            return f"Trials on all {planned} would show a gain with a chance of {power:.1%}."
        return f"A gain is shown at p = {self._level:.2g}, this is {self._ps[row]:.2g}."

    def sentence(self, row: int) -> str:
        """Return the gain in words."""
        return str(verification(self._tried[row].tolist()))

    def figures(self, row: int) -> dict[str, Any]:
        """Return the gain for programs."""
        shown = verification(self._tried[row].tolist()).as_dict()
        return {**shown, "p": self._ps[row], "level": self._level}


def _loses(found: Summary, errors: float) -> bool:
    return loses(found.n, found.mean, found.error, errors=errors)
