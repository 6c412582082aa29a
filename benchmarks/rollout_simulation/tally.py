"""Sums over simulated people, kept up to date request by request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from re2llm.arrays import AnyFloats
from re2llm.policies.rollout.confidence import Moments, Stratum


class Tally:
    """What `Moments` holds, of both arms, after each block of requests.

    Args:
        canary: Who gets the canary, `[people]`.
    """

    def __init__(self, canary: NDArray[np.bool_]) -> None:
        self._arm = canary.astype(np.intp)
        self._n = np.zeros(len(canary))
        self._total = np.zeros(len(canary))
        self._sums = np.zeros((2, 6))

    def add(self, people: NDArray[np.intp], values: AnyFloats) -> None:
        """Count observations.

        Args:
            people: Of whom, `[N]`; the same person may be there several times.
            values: What was observed, `[N]`.
        """
        who, row = np.unique(people, return_inverse=True)
        more = np.bincount(row, minlength=len(who)).astype(np.float64)
        added = np.bincount(row, weights=values, minlength=len(who))
        n, total, arm = self._n[who], self._total[who], self._arm[who]
        changes = (
            n == 0,
            more,
            added,
            2 * n * more + more**2,
            2 * total * added + added**2,
            n * added + total * more + more * added,
        )
        for column, change in enumerate(changes):
            self._sums[:, column] += np.bincount(arm, weights=change, minlength=2)
        self._n[who] += more
        self._total[who] += added

    @property
    def stratum(self) -> Stratum:
        """The sums without the canary, and with it."""
        first, second = (Moments(int(row[0]), *map(float, row[1:])) for row in self._sums)
        return first, second
