"""Confidence sequences: anytime-valid intervals, which hold however often one looks.

A fixed-n interval, looked at again and again, ends up wrong in far more than 5 % of all tests
("peeking"). The sequence here is the normal mixture of Robbins (1970), as in Howard et al., 2021,
"Time-uniform, nonparametric, nonasymptotic confidence sequences", arXiv 1810.08240 (there
"two-sided normal mixture"): for a sum `S` with variance `v` and any `r > 0`,

    P( there is a time with |S - v·Δ| ≥ sqrt((v + r) · log((v + r) / (r·alpha²))) ) ≤ alpha.

With variances estimated from the data it is an *asymptotic* confidence sequence in the sense of
Waudby-Smith et al., 2021, arXiv 2103.06476, and equivalent to the mSPRT of Johari et al., 2022,
"Always valid inference", arXiv 1512.04922. Time is measured in information (1 / variance of the
estimated difference), in which estimates from growing data have independent increments, whatever
the shares of the arms (Jennison and Turnbull, 1997).

Each step of a rollout is a stratum: arms are compared within a step and the differences are pooled
by their information. Between steps, shares change, and what people choose may change, too. A
comparison over all steps at once would mistake one change for the other (Simpson's paradox).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PRIOR = 0.25
"""Squares added to each sum: a variance estimated from few people is never 0."""
FEWEST_PEOPLE = 30
"""People in each arm before a step counts: with as many, means are about normal."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of a value observed on requests; they give its mean and the variance of that mean.

    People are drawn, not requests, and requests of one person are alike. So the variance is that of
    a ratio of sums over people (delta method; Deng et al., 2018, arXiv 1803.06336), not of
    requests.

    Attributes:
        people: People with at least one observation.
        n: Observations.
        total: Sum of the values.
        n_squares: Sum over people of their squared number of observations.
        squares: Sum over people of their squared sum of values.
        cross: Sum over people of number times sum.
    """

    people: int = 0
    n: float = 0.0
    total: float = 0.0
    n_squares: float = 0.0
    squares: float = 0.0
    cross: float = 0.0

    @property
    def mean(self) -> float:
        """Mean over observations; 0 without any."""
        return self.total / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """Variance of the mean."""
        if not self.n:
            return math.inf
        mean = self.mean
        spread = self.squares - 2 * mean * self.cross + mean * mean * self.n_squares
        few = self.people / max(self.people - 1, 1)
        return (max(spread, 0.0) * few + _PRIOR) / (self.n * self.n)

    def variance_for(self, other: Moments) -> float:
        """Return the variance of another mean whose people vary as these do."""
        if not self.n_squares or not other.n:
            return math.inf
        spread = self.variance * self.n * self.n / self.n_squares
        return spread * other.n_squares / (other.n * other.n)

    def __add__(self, other: Moments) -> Moments:
        """Add up the sums of different people."""
        return Moments(
            self.people + other.people,
            self.n + other.n,
            self.total + other.total,
            self.n_squares + other.n_squares,
            self.squares + other.squares,
            self.cross + other.cross,
        )


Stratum = tuple[Moments, Moments]
"""What was observed at one step without the canary, and with it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A confidence sequence at a point in time.

    Attributes:
        value: The estimate.
        low: Lower end.
        high: Upper end.
        control: Mean without the canary, over the steps that count.
        canary: Mean with it.
        n: Observations with the canary that count.
    """

    value: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    control: float | None = None
    canary: float | None = None
    n: int = 0

    def scaled(self, factor: float) -> Bounds:
        """Return the bounds of a difference that only a part of all requests has."""
        low, high = (end if math.isinf(end) else end * factor for end in (self.low, self.high))
        return Bounds(self.value * factor, low, high, self.control, self.canary, self.n)

    def as_dict(self) -> dict[str, Any]:
        """Return the bounds, ready for JSON; open ends are `None`."""
        return {
            "value": _rounded(self.value if self.n else None),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "control": _rounded(self.control),
            "canary": _rounded(self.canary),
            "n": self.n,
        }


def difference(strata: Sequence[Stratum], *, scale: float, alpha: float) -> Bounds:
    """Bound the difference of means, canary minus control, at all times at once.

    Rewards are skewed: a few people who happen to have a low mean also look as if they varied
    little. A small canary would be called worse too often, and better if the control is small. So
    either arm is taken to vary as the one that varies more.

    Args:
        strata: One for each step.
        scale: The size of difference for which the sequence is to be tight, in units of the values.
        alpha: The chance that it ever misses the truth.
    """
    counted = [(a, b) for a, b in strata if min(a.people, b.people) >= FEWEST_PEOPLE]
    information, weighted, control, canary = 0.0, 0.0, 0.0, 0.0
    for without, given in counted:
        weight = 1 / (
            max(without.variance, given.variance_for(without))
            + max(given.variance, without.variance_for(given))
        )
        information += weight
        weighted += weight * (given.mean - without.mean)
        control += weight * without.mean
        canary += weight * given.mean
    if not information:
        return Bounds()
    value, reach = weighted / information, _reach(information, scale, alpha)
    return Bounds(
        value,
        value - reach,
        value + reach,
        control / information,
        canary / information,
        int(sum(given.n for _, given in counted)),
    )


def mean(observed: Moments, *, scale: float, alpha: float) -> Bounds:
    """Bound a mean at all times at once; the arguments are as for `difference`."""
    if observed.people < FEWEST_PEOPLE:
        return Bounds()
    reach, value = _reach(1 / observed.variance, scale, alpha), observed.mean
    return Bounds(value, value - reach, value + reach, None, value, int(observed.n))


def _reach(information: float, scale: float, alpha: float) -> float:
    prior = 1 / (scale * scale)
    ratio = (information + prior) / prior
    return math.sqrt((information + prior) * (2 * math.log(1 / alpha) + math.log(ratio))) / (
        information
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 5)
