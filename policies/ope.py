"""Off-policy estimators: what a new policy would have earned, from logs of an old one.

Of `N` logged decisions each has a reward, the probability `logged` with which the old policy took
that action, and the probability `target` with which the new one would; all have shape `[N]`.
The estimators are unbiased (IPS, DR) or consistent (SNIPS) if the logged probabilities are true and
never 0 for what the new policy does: a log of greedy decisions says nothing about other actions.
Each raises `ValueError` for an empty log, unequal shapes, invalid probabilities or infinite values.
Intervals are 95 % ones, and open where nothing varies: the log then does not tell how far the truth
may lie. Decisions of one group, such as one session that came again and was given
the same each time, say little more than one of them; without `groups`, each was drawn for itself.

Sources: Horvitz and Thompson, 1952; Swaminathan and Joachims, 2015; Dudík et al., 2011,
arXiv 1103.4601; for groups, Liang and Zeger, 1986.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..arrays import AnyFloats

Groups: TypeAlias = NDArray[np.int64]
_LEVEL = 0.95
"""Of the intervals."""
_ROUNDING = 1e-12
"""Largest error of a mean of equal terms, as a part of them."""


class Estimate(NamedTuple):
    """The expected reward of a decision by the new policy.

    Attributes:
        value: The estimate, in units of the reward.
        low: Lower end of the interval.
        high: Upper end of the interval.
        effective_n: Number of unweighted decisions, each of a group of its own, that are worth as
            much as the log.
    """

    value: float
    low: float
    high: float
    effective_n: float


def ips(
    rewards: AnyFloats,
    logged: AnyFloats,
    target: AnyFloats,
    *,
    groups: Groups | None = None,
) -> Estimate:
    """Weight each reward by how much likelier the new policy makes its action.

    Args:
        rewards: `[N]`.
        logged: Probability of the logged action when it was taken, `[N]`.
        target: Probability of the same action under the new policy, `[N]`.
        groups: The group of each decision, `[N]`, from 0.

    Raises:
        ValueError: There is no decision, the shapes differ, or a number is not
            finite or no probability.
    """
    weights = _weights(rewards, logged, target)
    return _estimate(weights * rewards, weights, groups)


def snips(
    rewards: AnyFloats,
    logged: AnyFloats,
    target: AnyFloats,
    *,
    groups: Groups | None = None,
) -> Estimate:
    """Divide IPS by the mean weight: a little bias for much less variance.

    The interval is by the delta method. Arguments and errors are those of `ips`; without any action
    that the new policy would take, the estimate is NaN.
    """
    weights = _weights(rewards, logged, target)
    total = weights.sum()
    if total == 0:
        return Estimate(float("nan"), float("-inf"), float("inf"), 0.0)
    value = float(weights @ rewards / total)
    return _estimate(value + weights * (rewards - value) / weights.mean(), weights, groups)


def doubly_robust(
    rewards: AnyFloats,
    logged: AnyFloats,
    target: AnyFloats,
    predicted: AnyFloats,
    expected: AnyFloats,
    *,
    groups: Groups | None = None,
) -> Estimate:
    """Correct a reward model by its weighted errors on the log.

    Unbiased for any model if the logged probabilities are right; a better model gives a narrower
    interval. The model must not have seen these rewards.

    Args:
        rewards: `[N]`.
        logged: Probability of the logged action when it was taken, `[N]`.
        target: Probability of the same action under the new policy, `[N]`.
        predicted: The model's reward of the logged action, `[N]`.
        expected: The model's reward averaged over the new policy's actions, `[N]`.
        groups: The group of each decision, `[N]`, from 0.

    Raises:
        ValueError: There is no decision, the shapes differ, or a number is not
            finite or no probability.
    """
    weights = _weights(rewards, logged, target, predicted, expected)
    return _estimate(expected + weights * (rewards - predicted), weights, groups)


def mean_weight(logged: AnyFloats, target: AnyFloats) -> Estimate:
    """Return the mean weight, which is 1 where the log has tried all that the new policy does.

    Arguments and errors are those of `ips`. Equal weights are no chance: the interval is not open.
    """
    weights = _weights(np.ones(len(logged)), logged, target)
    return _estimate(weights, weights, None, open_ended=False)


def effective(weights: AnyFloats, groups: Groups | None = None) -> float:
    """Return the number of unweighted decisions, each of its own group, that are worth as much."""
    sums = weights if groups is None else np.bincount(groups, weights)
    squares = float(np.square(sums).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _weights(
    rewards: AnyFloats, logged: AnyFloats, target: AnyFloats, *more: AnyFloats
) -> AnyFloats:
    if rewards.ndim != 1 or not len(rewards):
        raise ValueError("rewards: there must be at least one logged decision.")
    if any(column.shape != rewards.shape for column in (logged, target, *more)):
        raise ValueError("logged, target: they need as many numbers as rewards.")
    if not ((logged > 0) & (logged <= 1)).all():
        raise ValueError("logged: a probability of something that happened lies in (0, 1].")
    if not ((target >= 0) & (target <= 1)).all():
        raise ValueError("target: a probability lies in [0, 1].")
    if not all(np.isfinite(column).all() for column in (rewards, *more)):
        raise ValueError("rewards: every number must be finite.")
    return target / logged


def _estimate(
    terms: AnyFloats, weights: AnyFloats, groups: Groups | None, *, open_ended: bool = True
) -> Estimate:
    """Return the mean of terms; terms of different groups are independent.

    Args:
        open_ended: Whether the interval is open where its width would be 0.
    """
    count = len(terms)
    if groups is None:
        groups = np.arange(count)
    value = float(terms.mean())
    sums = np.bincount(groups, terms - value)
    worth = count**2 / float(np.square(np.bincount(groups)).sum())  # in groups of one size
    reach = float("inf")
    if worth > 1:
        error = float(np.square(sums).sum() * worth / (worth - 1)) ** 0.5 / count
        if not open_ended or error > _ROUNDING * float(np.abs(terms).max()):
            reach = float(stdtrit(worth - 1, (1 + _LEVEL) / 2)) * error
    return Estimate(value, value - reach, value + reach, effective(weights, groups))
