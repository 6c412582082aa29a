"""The gain of a hint on the sessions on which it was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...knowledge.hint_store.stats import ENOUGH, loses
from ...rank_metrics import BEYOND_DOUBT
from ...records import counted
from .proof import FIRST_LOOK, predictive_power

CLEAR_HARM_AFTER = 12
"""Sessions after which a candidate is given up if its interval lies below 0."""
_SURE_IF_EQUAL = 5
"""Equal gains needed to rule out chance (1 in 32)."""
_WIDEST = 1.0
"""Margin of a gain before anything is known about it."""
_NO_GAIN_AFTER = 40
"""Sessions after which a hint without a gain is given up."""
_LEVEL = 0.05
"""One-sided p-value at which the 90 % interval lies above 0."""
_UNLIKELY = 0.1
"""Predictive power below which a hint is given up where calls are limited. Of .05, .1, .2 and .3,
this found the best hints by few calls on training sessions of HetRec."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The gain of a hint on some sessions.

    Attributes:
        sessions: Sessions that it was tried on.
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

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for state and database."""
        return {
            "sessions": self.sessions,
            "mean": round(self.mean, 4),
            "ci90": [round(self.low, 4), round(self.high, 4)],
            "helped": self.helped,
            "harmed": self.harmed,
        }

    def __str__(self) -> str:
        """The numbers as a sentence."""
        return (
            f"Gain {self.mean:+.3f} NDCG@10 (90 % interval {self.low:+.3f} to {self.high:+.3f}) "
            f"on {counted(self.sessions, 'session')}: helped {self.helped}, harmed {self.harmed}."
        )


def verification(gains: Sequence[float]) -> Verification:
    """Summarise gains.

    Args:
        gains: NDCG@10 with the hint minus without it, one per session.
    """
    values = np.array(gains, dtype=np.float64)
    if not len(values):
        return Verification(0, 0.0, 0.0, 0.0, 0, 0)
    mean = float(values.mean())
    if np.ptp(values) == 0:  # rounding gives equal numbers a deviation
        margin = 0.0 if len(values) >= _SURE_IF_EQUAL else _WIDEST
    else:
        margin = BEYOND_DOUBT * float(values.std(ddof=1)) / len(values) ** 0.5
    return Verification(
        len(values),
        mean,
        mean - margin,
        mean + margin,
        int((values > 0).sum()),
        int((values < 0).sum()),
    )


def settled(gains: Sequence[float], few: int, harm_after: int = CLEAR_HARM_AFTER) -> bool:
    """Return whether no further session need be tried; asked at set counts of sessions only.

    Args:
        few: Sessions after which only a hint in doubt is tried further.
        harm_after: Sessions after which clear harm is enough to know. With `ENOUGH` or more, as for
            a hint in use, the harm must be such that it is retired for it; see `loses`.
    """
    tried = len(gains)
    if tried not in {harm_after, _NO_GAIN_AFTER, few}:
        return False
    stats = verification(gains)
    if harm_after >= ENOUGH and tried != few and stats.high < 0:  # else it would stay in use
        return loses(tried, stats.mean, (stats.high - stats.mean) / BEYOND_DOUBT)
    return (
        (tried == harm_after and stats.high <= 0)
        or (tried == _NO_GAIN_AFTER and stats.mean <= 0)
        or (tried == few and (stats.mean <= 0 or stats.low > 0))
    )


def unlikely(gains: Sequence[float], planned: int) -> bool:
    """Return whether a hint would hardly be accepted; asked at set counts of sessions only.

    Its calls are then better spent on another hint; see `proof.predictive_power`.

    Args:
        planned: Sessions after which it is decided.
    """
    if len(gains) >= planned or len(gains) not in {CLEAR_HARM_AFTER, FIRST_LOOK, 2 * FIRST_LOOK}:
        return False
    return predictive_power(np.array(gains), planned, _LEVEL) < _UNLIKELY


def shown_to_gain(gains: Sequence[float]) -> bool:
    """Return whether a hint gains by the trials that a limit could pay for.

    Where a limit ends them does not depend on the gains, so the interval holds.
    """
    return len(gains) >= FIRST_LOOK and verification(gains).low > 0


def finished(gains: Sequence[float], few: int, harm_after: int = CLEAR_HARM_AFTER) -> bool:
    """Return whether a hint was tried enough, by its gains in the order of the sessions."""
    counts = range(len(gains) + 1)
    return len(gains) >= few or any(settled(gains[:n], few, harm_after) for n in counts)
