"""Sequential tests of whether many hints gain, by trials that come step by step.

A hint is *proven* if its mean gain is above 0 by a one-sided t-test that is corrected twice. First
for gains that are skewed (Hall, 1992): many small gains and rare large losses look better than they
are, as long as few of the losses have come, so one more is reckoned with. (Of a skew to the other
side, half counts: among many hints, some look skewed by luck.) Then for how many hints were ever
tested (Benjamini and Hochberg, 1995: of the proven ones, at most `FALSE_SHARE` are lucky
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

from ...knowledge.hint_store.stats import UNSEEN

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
_FAVOURED = 0.5
"""The part of a skew that speaks for a hint which is believed."""
_MORE_LOSSES = 4
"""As large as any that are reckoned with: a gain that stands in spite of them needs no correction,
which goes wrong where a hint nearly always helps, and a few losses are all of its spread."""
_SMALLEST = 1e-9
"""Skewness over the root of the sessions that is taken as none."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What gains sum up to.

    Attributes:
        n: Sessions.
        mean: Mean gain.
        deviation: Standard deviation of the gains.
        skewness: Of the gains; below 0 if the losses are rare and large.
        p: Of the one-sided test that the mean is not above 0; 1 with fewer than two sessions.
    """

    n: int
    mean: float
    deviation: float
    skewness: float
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
    if n < 2:  # noqa: PLR2004  # one session has no spread
        return Tally(n, float(gains.mean()) if n else 0.0, 0.0, 0.0, 1.0)
    mean = float(gains.mean())
    if np.ptp(gains) == 0:  # as unlikely as so many coins that all fall on one side
        return Tally(n, mean, 0.0, 0.0, 0.5**n if mean > 0 else 1.0)
    deviation, off = float(gains.std(ddof=1)), gains - mean
    skewness = float((off**3).mean() / (off**2).mean() ** 1.5)
    p = float(stdtr(n - 1, -mean / deviation * math.sqrt(n)))
    return Tally(n, mean, deviation, skewness, p)


def typical_loss(gains: Gains) -> float:
    """Return how large the losses are that cost the most, by the gains of many hints.

    Every loss counts as often as it is large, so that neither many tiny ones nor a single huge one
    decides.

    Args:
        gains: Of any shape; NaN where a hint was not tried.
    """
    losses = -gains[gains < 0]
    return min(float((losses**2).sum() / losses.sum()), UNSEEN) if len(losses) else 0.0


def luck(gains: Gains, loss: float = 0.0) -> float:
    """Return the p-value of the test that the mean gain is not above 0, whatever the skew.

    Args:
        gains: Shape `[n]`.
        loss: One more loss that is reckoned with, from `typical_loss`.
    """
    found = tally(np.append(gains, -loss) if loss else gains)
    if found.deviation == 0:
        return found.p
    t, skew = found.mean / found.error, _believed(found.skewness, found.n)
    corrected = t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6
    in_spite = tally(np.append(gains, np.full(_MORE_LOSSES, -UNSEEN)))
    return min(float(stdtr(found.n - 1, -corrected)), in_spite.p)


def _believed(skewness: float, sessions: int) -> float:
    """Return how much a skew bends the distribution of the t-value."""
    return skewness * (1 if skewness < 0 else _FAVOURED) / math.sqrt(sessions)


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


def predictive_power(gains: Gains, planned: int, level: float, loss: float = 0.0) -> float:
    """Return how likely a hint is proven once all its sessions are tried, by the trials so far.

    Args:
        gains: Shape `[n]`.
        planned: Sessions that it will be tried on.
        level: From `proof_level`.
        loss: From `typical_loss`.
    """
    if len(gains) >= planned:
        return float(luck(gains, loss) <= level)
    seen = tally(np.append(gains, UNSEEN) if len(gains) < 2 * FIRST_LOOK else gains)
    spread = seen.deviation * math.sqrt(1 / seen.n - 1 / planned)
    if spread <= 0:
        return float(seen.mean > 0)
    return float(ndtr((seen.mean - _needed(seen, planned, level, loss)) / spread))


def _needed(seen: Tally, planned: int, level: float, loss: float) -> float:
    """Return the mean that would prove a gain, by inverting `luck`: the spread stays as it is."""
    deviation = math.hypot(seen.deviation, loss / math.sqrt(planned))
    third = seen.skewness * seen.deviation**3 - loss**3 / planned
    skew = _believed(third / deviation**3, planned)
    needed = -float(ndtri(level))
    if abs(skew) > _SMALLEST:
        needed = 3 / skew * (float(np.cbrt(1 + skew * (needed - skew / 6))) - 1)
    return needed * deviation / math.sqrt(planned) + loss / planned


def is_hopeless(gains: Gains, planned: int, level: float, loss: float = 0.0) -> bool:
    """Return whether more trials would hardly prove a hint; arguments as `predictive_power`."""
    return predictive_power(gains, planned, level, loss) < _HOPELESS


def looks(sessions: int) -> Iterator[int]:
    """Return after how many sessions hints are looked at: ever twice as many, at last all."""
    look = FIRST_LOOK
    while look < sessions:
        yield look
        look *= 2
    yield sessions
