"""Watches live reward for a drop below what a release earned just after its promotion.

The first rewards after a promotion are the *reference*. (Those of its rollout would not do: a
release is promoted because they were high, so what follows is lower on average.) Later rewards come
in blocks. At each block a confidence sequence of the difference between "from this block on" and
the reference begins; the k-th of them has the error 6·alpha / (π²k²), so that all together ever
raise a false alarm with a chance of at most alpha, however often one looks. Sequences that begin
late show a late drop soon, which one over everything since the promotion would water down. It is
the reduction of change detection to sequential tests of Lorden, 1971, "Procedures for reacting to a
change in distribution"; see also Shin, Ramdas and Rinaldo, 2022, "E-detectors", arXiv 2203.03532.

With a reference of fixed size, the variance of a difference is that of the reference plus that of
the later mean, and two differences at different times covary by the variance of the later one. So
increments in information are independent, as `rollout.confidence` needs them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..rollout.confidence import Bounds, Moments, difference

DRIFT_ALPHA = 0.05
"""The chance of ever holding by mistake, for each reference."""
_SCALE = 0.05
"""The drop of mean reward for which the sequences are narrowest."""


@dataclass(frozen=True, slots=True)
class RewardDrift:
    """Live reward compared with the reference.

    Attributes:
        bounds: Bounds of the later reward minus the reference's, from the block that shows the
            largest certain drop; open until there is enough feedback.
        begins: That block, from 0.
        expected_rewards: How many rewards the reference has so far.
        live_rewards: How many came since.
    """

    bounds: Bounds
    begins: int
    expected_rewards: int
    live_rewards: int

    @property
    def dropped(self) -> bool:
        """Whether reward has dropped beyond doubt."""
        return self.bounds.high < 0

    def as_dict(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        found = self.bounds.as_dict()
        return {
            "expected": found["control"],
            "live": found["canary"],
            "low": found["low"],
            "high": found["high"],
            "expected_rewards": self.expected_rewards,
            "live_rewards": self.live_rewards,
            "counted_rewards": found["n"],
        }


def moments(count: int, total: float, squares: float) -> Moments:
    """Return the sums of rewards, each of which comes from a separate visit."""
    return Moments(count, count, total, count, squares, total)


def reward_drift(reference: Moments, blocks: Sequence[Moments], size: int) -> RewardDrift:
    """Compare live reward with the reference.

    Args:
        reference: The first rewards.
        blocks: Blocks of the rewards after them, oldest first.
        size: How many rewards a whole reference has; until then nothing is compared.
    """
    live = int(sum(block.n for block in blocks))
    found = RewardDrift(Bounds(), 0, int(reference.n), live)
    if reference.n < size:
        return found
    since = Moments()
    lowest = math.inf
    for begins in range(len(blocks) - 1, -1, -1):
        since += blocks[begins]
        error = DRIFT_ALPHA * 6 / (math.pi * (begins + 1)) ** 2
        bounds = difference([(reference, since)], scale=_SCALE, alpha=error)
        if bounds.high < lowest:
            lowest = bounds.high
            found = RewardDrift(bounds, begins, int(reference.n), live)
    return found
