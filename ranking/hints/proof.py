"""Sequential tests of whether many hints gain, by trials that come step by step.

A hint is *proven* if its mean gain is above 0 by a one-sided t-test, corrected for how many hints
were ever tested (Benjamini and Hochberg, 1995: of the proven ones, at most `FALSE_SHARE` are lucky
in expectation; gains of different hints on one session depend positively, as they share the trial
without a hint, which is what the procedure allows). A hint that more trials can no longer prove is
given up early, by its predictive power (Spiegelhalter, Freedman and Blackburn, 1986). Giving up
early makes no false proof likelier, so it needs no correction. One that is proven early is accepted
at a tenth of the level only (Haybittle, 1971; Peto, 1976).
"""

# scipy has no types of its own.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr

Gains = NDArray[np.float64]
"""NDCG@10 with a hint minus without it, one per session."""

FALSE_SHARE = 0.05
"""The part of the proven hints that may be lucky ones, in expectation."""
EARLY = 0.1
"""The part of the level at which a hint is accepted before all its sessions are tried."""
FIRST_LOOK = 24
"""Sessions after which a hint is looked at for the first time."""
_HOPELESS = 0.02
"""Predictive power below which a hint is given up."""
_UNSEEN = 0.5
"""The large gain that a hint is given at the first look, because a rare one may not have come."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What gains sum up to.

    Attributes:
        n: Sessions.
        mean: Mean gain.
        deviation: Standard deviation of the gains.
        p: Of the one-sided test that the mean is not above 0; 1 with fewer than two sessions.
    """

    n: int
    mean: float
    deviation: float
    p: float

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.deviation / math.sqrt(self.n) if self.n else 0.0


def tally(gains: Gains) -> Tally:
    """Sum up gains.

    Args:
        gains: Shape `[n]`.
    """
    n = len(gains)
    if n <= 1:  # one session has no spread
        return Tally(n, float(gains.mean()) if n else 0.0, 0.0, 1.0)
    mean = float(gains.mean())
    # Rounding gives equal numbers a deviation.
    deviation = float(gains.std(ddof=1)) if np.ptp(gains) > 0 else 0.0
    if deviation > 0:
        p = float(stdtr(n - 1, -mean / deviation * math.sqrt(n)))
    else:  # all the same: as unlikely as so many coins that all fall on one side
        p = 0.5**n if mean > 0 else 1.0
    return Tally(n, mean, deviation, p)


def proof_level(ps: Sequence[float], tested: int) -> float:
    """Return the p-value up to which hints are proven.

    Args:
        ps: Of the hints that are kept.
        tested: How many hints were tested in all, also those that were given up.
    """
    tested = max(tested, len(ps), 1)
    ranked = enumerate(sorted(ps), start=1)
    passed = max((rank for rank, p in ranked if p <= FALSE_SHARE * rank / tested), default=1)
    return FALSE_SHARE * passed / tested


def predictive_power(gains: Gains, planned: int, level: float) -> float:
    """Return how likely a hint is proven once all its sessions are tried, by the trials so far.

    Args:
        gains: Shape `[n]`.
        planned: Sessions that it will be tried on.
        level: From `proof_level`.
    """
    if len(gains) >= planned:
        return float(tally(gains).p <= level)
    seen = tally(np.append(gains, _UNSEEN) if len(gains) < 2 * FIRST_LOOK else gains)
    spread = seen.deviation * math.sqrt(1 / seen.n - 1 / planned)
    if spread <= 0:
        return float(seen.mean > 0)
    wanted = -float(ndtri(level)) * seen.deviation / math.sqrt(planned)
    return float(ndtr((seen.mean - wanted) / spread))


def is_hopeless(gains: Gains, planned: int, level: float) -> bool:
    """Return whether more trials would hardly prove a hint."""
    return predictive_power(gains, planned, level) < _HOPELESS


def looks(sessions: int) -> Iterator[int]:
    """Return after how many sessions hints are looked at: ever twice as many, at last all."""
    look = FIRST_LOOK
    while look < sessions:
        yield look
        look *= 2
    yield sessions
