"""The hints that a release chooses from, where its training left some out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .hint_store.hints import Hint

_STATS = ("trials", "mean_gain", "gain_error", "helped", "harmed")


@dataclass(frozen=True, slots=True)
class TrainedHints:
    """The hints that a release was trained on, and those that were left out.

    A release may give any other hint, too: it came later, or was approved later.

    Attributes:
        stats: Fields of `Hint`, by the id of each hint that it was trained on: the trials that it
            was trained with.
        left_out: Ids of the hints that were active then, and that it was not trained on.
    """

    stats: Mapping[int, Mapping[str, Any]]
    left_out: frozenset[int]

    @classmethod
    def of(cls, trained: Sequence[Hint], left_out: Sequence[int]) -> TrainedHints:
        """Return the hints of a training, which have the stats that they are trained with."""
        stats = {hint.id: {name: getattr(hint, name) for name in _STATS} for hint in trained}
        return cls(stats, frozenset(left_out))

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> TrainedHints | None:
        """Return what a release's `config` says; `None` if it may give any hint."""
        hints = config.get("hints")
        if hints is None:
            return None
        stats = {int(hint): stats for hint, stats in hints["stats"].items()}
        return cls(stats, frozenset(hints["left_out"]))

    def as_dict(self) -> dict[str, Any]:
        """Return it as the `config` of a release keeps it, under `hints`."""
        stats = {str(hint): dict(stats) for hint, stats in self.stats.items()}
        return {"stats": stats, "left_out": sorted(self.left_out)}

    def __contains__(self, hint: int) -> bool:
        return hint not in self.left_out

    def as_trained(self, hints: Sequence[Hint]) -> list[Hint]:
        """Return those of the hints that may be given, with the stats of the training.

        Others were tried on other sessions, where all hints gain more, or less. They get the
        difference that the hints of the training show.

        Args:
            hints: With their present stats.
        """
        elsewhere = [
            self.stats[hint.id]["mean_gain"] - hint.mean_gain
            for hint in hints
            if hint.id in self.stats and hint.trials
        ]
        shift = float(np.mean(elsewhere)) if elsewhere else 0.0
        return [
            replace(hint, **self.stats[hint.id])
            if hint.id in self.stats
            else replace(hint, mean_gain=hint.mean_gain + shift * (hint.trials > 0))
            for hint in hints
            if hint.id in self
        ]
