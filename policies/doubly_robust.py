"""Rewards of all actions from those of a few: a model's, corrected where the truth is known.

`R(s, a) = m(s, a) + known(s, a) / q(s, a) * (r(s, a) - m(s, a))`. Its expectation over which cells
are known is `r(s, a)`, however wrong the model `m` is, as long as `m` saw nothing of session `s`
beyond what is known for certain, and `q` is the true probability (Dudik et al., 2011, arXiv
1103.4601). A good model only makes it less noisy.

Shapes: `B` sessions, `A` actions, action 0 gives no hint.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .reward_model import Features, Floats, Gathered

_FOLDS = 5


def doubly_robust(expected: Floats, rewards: Floats, tried: Floats) -> Floats:
    """Return an estimate of every reward, `[B, A]`.

    A hint that was sure not to be tried in a session gets no more than the model expects there of
    the worst hint that was sure to be tried: nothing is learned in favour of a hint by the model
    alone.

    Args:
        expected: By a model that has not seen the session; what is common to a session may miss.
        rewards: NaN where they are not known.
        tried: With which probability each became known; 1 for some in every session.
    """
    known, sure = np.isfinite(rewards), tried >= 1
    paid = np.where(known, rewards, 0.0)
    level: Floats = np.where(sure, paid - expected, 0.0).sum(1) / sure.sum(1)
    model = expected + level[:, None]
    weights = np.where(known, 1 / np.where(known, tried, 1.0), 0.0)
    corrected = model + weights * (paid - model)
    worst = np.where(sure[:, 1:], model[:, 1:], np.inf).min(1)
    result: Floats = np.where(tried > 0, corrected, np.minimum(model, worst[:, None]))
    return result


def cross_fitted(features: Features, sessions: NDArray[np.int64], rewards: Floats) -> Floats:
    """Return what models expect that were fitted on other sessions, `[B, A]`.

    Args:
        sessions: Rows of the features, `[B]`.
        rewards: NaN where they are not known, `[B, A]`.
    """
    folds = np.arange(len(sessions)) % _FOLDS
    parts = [Gathered(features) for _ in range(_FOLDS)]
    whole = Gathered(features)
    for fold, session, row in zip(folds.tolist(), sessions.tolist(), rewards, strict=True):
        parts[fold].add(session, row)
        whole.add(session, row)
    expected = np.zeros(rewards.shape)
    for fold, part in enumerate(parts):
        mine = folds == fold
        expected[mine] = whole.without(part).fit().expected(sessions[mine])
    return expected
