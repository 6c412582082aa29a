"""What rewards of logged decisions say of each choice, and which decisions are new draws."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyFloats
from ..knowledge.log.feedback import Decision, HintChosen

_FOLDS = 5
_SHRINKAGE = 10
"""Decisions with the overall mean reward that each hint's mean is mixed with."""

Shares = Mapping[HintChosen, float]
"""Probability of each choice that a release may make."""


def reward_model(used: Sequence[Decision], shares: Sequence[Shares]) -> tuple[AnyFloats, AnyFloats]:
    """Predict rewards by each choice's mean, shrunk, from decisions in other folds.

    Returns:
        The predicted reward of each logged choice and, averaged over the new policy's probabilities
        `shares`, of each session; both `[N]`.
    """
    groups = draws(used)
    if len(np.unique(groups)) < _FOLDS:
        groups = np.arange(len(used))
    drawn = np.random.default_rng(0).permutation(len(used)) % _FOLDS
    folds: list[int] = drawn[groups].tolist()
    means = [
        _hint_means([d for d, own in zip(used, folds, strict=True) if own != fold])
        for fold in range(_FOLDS)
    ]
    predicted = [means[fold](d.choice) for d, fold in zip(used, folds, strict=True)]
    expected = [
        sum(share * means[fold](choice) for choice, share in chosen.items())
        for chosen, fold in zip(shares, folds, strict=True)
    ]
    return np.array(predicted), np.array(expected)


def draws(used: Sequence[Decision]) -> NDArray[np.int64]:
    """Number the draws, `[N]`: the same choice for a session as the time before may be no new one.

    Who asks again gets the same hint, and in logs of earlier versions everybody did. The log does
    not tell who asked; chance repeats itself as well, and makes intervals a little wider.

    Args:
        used: N decisions, oldest first.
    """
    latest: dict[object, tuple[HintChosen, int]] = {}
    groups: list[int] = []
    count = 0
    for one in used:
        key = one.policy, tuple(one.history), tuple(one.candidates)
        choice, group = latest.get(key, (one.choice, -1))
        if group < 0 or choice != one.choice:
            group, count = count, count + 1
        latest[key] = one.choice, group
        groups.append(group)
    return np.array(groups, dtype=np.int64)


def _hint_means(decisions: Sequence[Decision]) -> Callable[[HintChosen], float]:
    """Return the mean reward of each hint or set of hints, mixed with the mean of all."""
    overall = sum(d.reward for d in decisions) / len(decisions) if decisions else 0.0
    counts = Counter(d.choice for d in decisions)
    sums: defaultdict[HintChosen, float] = defaultdict(float)
    for decision in decisions:
        sums[decision.choice] += decision.reward
    return lambda hint: (sums[hint] + _SHRINKAGE * overall) / (counts[hint] + _SHRINKAGE)
