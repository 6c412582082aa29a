"""What a hint brought on the sessions on which it was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

_CONFIDENT = 1.645
"""Normal quantile of a two-sided 90 % interval."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a hint brought on some sessions.

    Attributes:
        sessions: How many it was tried on.
        mean: Mean gain in NDCG@10.
        low: Lower end of the gain's 90 % interval.
        high: Upper end.
        helped: Sessions with a gain.
        harmed: Sessions with a loss.
    """

    sessions: int
    mean: float
    low: float
    high: float
    helped: int
    harmed: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the numbers for state and database."""
        return {
            "sessions": self.sessions,
            "mean": round(self.mean, 4),
            "ci90": cast("Any", [round(self.low, 4), round(self.high, 4)]),
            "helped": self.helped,
            "harmed": self.harmed,
        }


def verification(gains: Sequence[float]) -> Verification:
    """Summarise gains.

    Args:
        gains: NDCG@10 with the hint minus without it, one a session.
    """
    values = np.array(gains, dtype=np.float64)
    if not len(values):
        return Verification(0, 0.0, 0.0, 0.0, 0, 0)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0
    return Verification(
        len(values),
        mean,
        mean - _CONFIDENT * error,
        mean + _CONFIDENT * error,
        int((values > 0).sum()),
        int((values < 0).sum()),
    )
