"""Sequential tests of whether many hints gain, by trials that come step by step.

A hint is *proven* if its mean gain is above 0 by a one-sided t-test with two corrections.

The first correction is for skew (Hall, 1992). With many small gains and rare large losses, the mean
looks too high until the losses come, so one more loss is assumed. (Only half of a positive skew
counts: among many hints, some look skewed by chance.)

The second is for the number of hints that were ever tested (Benjamini and Hochberg, 1995). In
expectation, at most `FALSE_SHARE` of the proven hints are lucky. Gains of different hints on one
session share the trial without a hint, so they depend positively, which the procedure allows.

A hint that more trials can no longer prove is given up early, by its predictive power
(Spiegelhalter, Freedman and Blackburn, 1986). This makes no false proof likelier, so it needs no
correction. A hint is accepted early only at a tenth of the level (Haybittle, 1971; Peto, 1976).
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
"""Share of the proven hints that may be lucky ones, in expectation."""
EARLY = 0.1
"""Share of the level at which a hint is accepted before all its sessions are tried."""
FIRST_LOOK = 24
"""Sessions after which a hint is judged for the first time."""
_HOPELESS = 0.02
"""Predictive power below which a hint is given up."""
_FAVOURED = 0.5
"""Factor applied to a skew that favours the hint."""
_MORE_LOSSES = 4
"""Assumed extra losses of the largest size. A gain that stays significant with them needs no skew
correction, which fails if a hint nearly always helps and a few losses are all of its spread."""
_SMALLEST = 1e-9
"""Skewness over the root of the sessions up to which there is no correction."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary statistics of gains.

    Attributes:
        n: Number of sessions.
        mean: Mean gain.
        deviation: Standard deviation of the gains.
        skewness: Skewness of the gains; below 0 if the losses are rare and large.
        p: p-value of the one-sided test that the mean is not above 0; 1 with fewer than two
            sessions.
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


def summary_of(gains: Gains) -> Summary:
    """Sum up gains.

    Args:
        gains: Shape `[n]`.
    """
    n = len(gains)
    if n < 2:  # noqa: PLR2004  # one session has no spread
        return Summary(n, float(gains.mean()) if n else 0.0, 0.0, 0.0, 1.0)
    mean = float(gains.mean())
    if np.ptp(gains) == 0:  # as unlikely as n coins that all fall on one side
        return Summary(n, mean, 0.0, 0.0, 0.5**n if mean > 0 else 1.0)
    deviation, off = float(gains.std(ddof=1)), gains - mean
    skewness = float((off**3).mean() / (off**2).mean() ** 1.5)
    p = float(stdtr(n - 1, -mean / deviation * math.sqrt(n)))
    return Summary(n, mean, deviation, skewness, p)


def typical_loss(gains: Gains) -> float:
    """Return the size of the losses that cost the most, by the gains of many hints.

    Each loss is weighted by its size, so that neither many tiny ones nor a single huge one decides.

    Args:
        gains: Any shape; NaN where a hint was not tried.
    """
    losses = -gains[gains < 0]
    return min(float((losses**2).sum() / losses.sum()), UNSEEN) if len(losses) else 0.0


def p_value(gains: Gains, loss: float = 0.0) -> float:
    """Return the p-value of the test that the mean gain is not above 0, whatever the skew.

    Args:
        gains: Shape `[n]`.
        loss: One more loss to assume, from `typical_loss`.
    """
    found = summary_of(np.append(gains, -loss) if loss else gains)
    if found.deviation == 0:
        return found.p
    t, skew = found.mean / found.error, _believed(found.skewness, found.n)
    corrected = t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6
    in_spite = summary_of(np.append(gains, np.full(_MORE_LOSSES, -UNSEEN)))
    return min(float(stdtr(found.n - 1, -corrected)), in_spite.p)


def _believed(skewness: float, sessions: int) -> float:
    """Return the skew of the mean to correct for."""
    return skewness * (1 if skewness < 0 else _FAVOURED) / math.sqrt(sessions)


def proof_level(ps: Sequence[float], tested: int) -> float:
    """Return the p-value up to which hints are proven.

    Args:
        ps: The p-values of the hints that are kept.
        tested: How many hints were tested in all, including those that were given up.
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
        level: The level from `proof_level`.
        loss: The loss from `typical_loss`.
    """
    if len(gains) >= planned:
        return float(p_value(gains, loss) <= level)
    seen = summary_of(np.append(gains, UNSEEN) if len(gains) < 2 * FIRST_LOOK else gains)
    spread = seen.deviation * math.sqrt(1 / seen.n - 1 / planned)
    if spread <= 0:
        return float(seen.mean > 0)
    return float(ndtr((seen.mean - _needed(seen, planned, level, loss)) / spread))


def _needed(seen: Summary, planned: int, level: float, loss: float) -> float:
    """Return the mean that would prove a gain with the same spread, by inverting `p_value`."""
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
    """Yield the numbers of sessions after which hints are judged: doubled each time, then all."""
    look = FIRST_LOOK
    while look < sessions:
        yield look
        look *= 2
    yield sessions
