"""Rewards of all actions from those of a few: a model's, corrected where the truth is known.

`R(s, a) = m(s, a) + known(s, a) / q(s, a) * (r(s, a) - m(s, a))`. Where `q > 0`, its expectation
over which cells are known is `r(s, a)`, however wrong the model `m` is, as long as `m` saw nothing
of session `s` beyond what is known for certain, and `q` is the true probability (Dudik et al.,
2011, arXiv 1103.4601). A good model only makes it less noisy. Where `q = 0`, it is the model's word
alone, so it is kept from favouring a hint.

Shapes: `B` sessions, `A` actions, action 0 gives no hint.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .reward_model import Features, Gathered, RewardModel

_FOLDS = 5
"""Parts that the sessions are divided into, at least."""


def impute_rewards(expected: Floats, rewards: Floats, tried: Floats) -> Floats:
    """Return an estimate of every reward, `[B, A]`.

    A hint that was sure not to be tried in a session gets no more than the model expects there of
    the worst hint that was sure to be tried, or of no hint where none was: nothing is learned in
    favour of a hint by the model alone.

    Args:
        expected: By a model that has not seen the session; what is common to a session may miss.
        rewards: NaN where they are not known.
        tried: With which probability each became known; 1 for some in every session, and 0 for
            those that must not be learned from.
    """
    known, sure = np.isfinite(rewards), tried >= 1
    paid = np.where(known, rewards, 0.0)
    level: Floats = np.where(sure, paid - expected, 0.0).sum(1) / sure.sum(1)
    model = expected + level[:, None]
    weights = np.where(known, 1 / np.where(known, tried, 1.0), 0.0)
    corrected = model + weights * (paid - model)
    worst = np.where(sure[:, 1:], model[:, 1:], np.inf).min(1)
    worst = np.where(np.isfinite(worst), worst, model[:, 0])
    result: Floats = np.where(tried > 0, corrected, np.minimum(model, worst[:, None]))
    return result


def cross_fitted(
    features: Features, sessions: NDArray[np.int64], rewards: Floats, folds: NDArray[np.int64]
) -> Floats:
    """Return what is expected for each member of a policy, `[M, B, A]`.

    No model has seen the session itself, nor any that is held out from the member: what a member
    learns from then says nothing of the rewards by which it is judged.

    Args:
        sessions: Rows of the features, `[B]`.
        rewards: NaN where they are not known, `[B, A]`.
        folds: The member that each session is held out from, `[B]`; -1 for none.
    """
    members = int(folds.max()) + 1
    parts = _parts(folds, math.ceil(_FOLDS / members))
    gathered = {part: Gathered(features) for part in np.unique(parts).tolist()}
    for part, session, row in zip(parts.tolist(), sessions.tolist(), rewards, strict=True):
        gathered[part].add(session, row)

    @cache
    def without(left_out: frozenset[int]) -> RewardModel:
        seen = Gathered(features)
        for part, some in gathered.items():
            if part not in left_out:
                seen.include(some)
        return seen.fit()

    expected = np.zeros((members, *rewards.shape))
    for member in range(members):
        held_out = frozenset(parts[folds == member].tolist())
        for part in gathered:
            mine = parts == part
            expected[member, mine] = without(held_out | {part}).expected(sessions[mine])
    return expected


def _parts(folds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Divide each fold into so many parts, `[B]`."""
    parts = np.zeros_like(folds)
    for fold in np.unique(folds):
        mine = folds == fold
        parts[mine] = (fold + 1) * count + np.arange(mine.sum()) % count
    return parts
