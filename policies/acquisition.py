"""Which cells (session x hint) to pay for, and whether more would change the policy.

Sessions are visited once each, in random order. In each, an action is tried with a probability that
follows how likely it is the best one there, by a reward model of the sessions visited before. So a
reward's probability of being known does not depend on that reward, and `impute_rewards` can correct
the model without bias where that probability is not 0. What is not open to a trial stays with the
model.

Shapes: `B` sessions, `A` actions, action 0 gives no hint.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .reward_model import RewardModel

_DRAWS = 256
LEAST = 0.25
"""Least probability of a trial that is open at all: no reward counts more than four times."""


def trial_probabilities(
    model: RewardModel, sessions: NDArray[np.int64], tries: float, seed: int
) -> Floats:
    """Return with which probability to try each action, `[B, A]`.

    No hint is always tried, since rewards are measured from it, and so is the hint that is best on
    the whole.

    Args:
        sessions: Rows, `[B]`.
        tries: Expected number of hints to try in a session.
        seed: Of the draws.
    """
    drawn = model.features.worth(model.draws(_DRAWS, np.random.default_rng(seed)), sessions)
    best = drawn.argmax(-1)
    count = drawn.shape[-1]
    shares = np.stack([(best == action).mean(0) for action in range(count)], axis=1)
    always = int(model.mean[1:count].argmax()) + 1
    shares[:, 0] = 0.0
    result = np.zeros_like(shares)
    for row, share in enumerate(shares):
        share[always] = 0.0
        result[row] = _spread(share, tries - 1)
    result[:, 0] = result[:, always] = 1.0
    return result


def _spread(shares: Floats, tries: float) -> Floats:
    """Return probabilities in proportion to shares that add up to `tries` as nearly as can be.

    What would get less than `LEAST` gets none.
    """
    open_ = shares > 0
    for _ in range(len(shares)):
        if not open_.any():
            break
        result = np.where(open_, shares, 0.0)
        result *= tries / result.sum()
        for _ in range(len(shares)):  # what exceeds 1 goes to the others
            full = result >= 1
            rest = result[~full].sum()
            if not (result > 1).any() or rest <= 0:
                break
            result = np.where(full, 1.0, result * (tries - full.sum()) / rest)
        few = open_ & (result < LEAST)
        if not few.any():
            return result.clip(0, 1)
        open_ &= result > result[few].min()
    return np.zeros_like(shares)


def uniform_draws(session: int, hints: Sequence[bytes], seed: int) -> Floats:
    """Return a session's draws, one for each hint, uniform in [0, 1), `[H]`.

    A hint is tried if its draw is below its probability. Draws stay the same in later runs, so that
    trials are shared.

    Args:
        session: Its key.
        hints: Their keys.
    """
    return np.array(
        [
            int.from_bytes(
                hashlib.blake2b(f"{seed}:{session}:".encode() + hint, digest_size=6).digest()
            )
            / 2**48
            for hint in hints
        ]
    )


@dataclass(frozen=True, slots=True)
class ExpectedGain:
    """What more trials would likely gain.

    Attributes:
        gain: In mean reward a session.
        noise: Standard error with which all sessions together could show a gain.
    """

    gain: float
    noise: float

    @property
    def little(self) -> bool:
        """Whether the gain is lost in the noise."""
        return self.gain <= self.noise


def gain_of_more(
    model: RewardModel,
    sessions: NDArray[np.int64],
    tried: Floats,
    more: float,
    seed: int,
) -> ExpectedGain:
    """Return how much more sessions would likely raise the mean reward of the best choices.

    The expected value of sample information: how far the expected rewards would move, and how often
    that would change which action is best.

    Args:
        sessions: Rows that stand for all, `[B]`.
        tried: With which probability each action is tried in them, `[B, A]`.
        more: How many more sessions would be visited.
        seed: Of the draws.
    """
    gained = np.zeros_like(model.precision)
    for session, probability in zip(sessions.tolist(), tried, strict=True):
        rows = model.features.rows(session)
        centred = rows - probability @ rows / probability.sum()
        gained += (centred.T * probability) @ centred
    after = model.precision + gained * (more / len(sessions))
    # Where the means will be then: what is uncertain now, less what stays so.
    moves = np.linalg.inv(model.precision) - np.linalg.inv(after)
    values, vectors = np.linalg.eigh(moves)
    noise = np.random.default_rng(seed).standard_normal((_DRAWS // 2, len(values)))
    steps = noise @ (vectors * np.sqrt(values.clip(0) * model.variance)).T
    best = model.expected(sessions).argmax(1)
    rows = np.arange(len(sessions))
    gains = np.zeros((_DRAWS // 2, len(sessions)))
    others = 0.0
    for sign in (1, -1):  # pairs of opposite draws, so that no mean is off by chance
        later = model.features.worth(model.mean + sign * steps, sessions)
        gains += (later.max(-1) - later[:, rows, best]) / 2
        others += float((later.argmax(-1) != best).mean()) / 2
    spread = 2 * model.variance * others + float(gains.mean(0).var())
    return ExpectedGain(float(gains.mean()), math.sqrt(spread / len(model.features.sessions)))
