"""How members do in the sessions that they did not learn from, and which checkpoint does best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hint_features import HintFeatures
from .hint_policy import greedy_actions
from .networks import ContentPolicy, HintPolicy, PaperPolicy
from .ppo import Rewards
from .recipes import TrainingConfig
from .set_policy import greedy_picks
from .set_ppo import SetRules
from .sets import Actions
from .weights import actor_of

Folds = NDArray[np.int64]
"""The member that each session is held out from, `[S]`; -1 for none."""


class Checkpoint(NamedTuple):
    """The members after some updates, with their rewards in the sessions held out from each."""

    update: int
    rewards: NDArray[np.float64]
    policies: Sequence[ContentPolicy | PaperPolicy]


def draw_folds(count: int, config: TrainingConfig) -> Folds:
    """Draw the sessions that are held out from each member.

    Args:
        count: Sessions.
    """
    order = np.random.default_rng(config.ppo.seed).permutation(count)
    folds = np.full(count, -1, dtype=np.int64)
    if config.members == 1:
        folds[order[: min(max(1, round(config.validation_share * count)), count - 1)]] = 0
    else:
        folds[order] = np.arange(count) % config.members
    return folds


class HeldOut:
    """The likeliest choices of members in the sessions held out from each.

    Args:
        states: States of all sessions, `[S, D]`.
        hints: To choose from.
        folds: Folds from `draw_folds`.
        rules: What a set may hold; `None` where one decision is made.
    """

    def __init__(
        self,
        states: NDArray[np.floating[Any]],
        hints: HintFeatures,
        folds: Folds,
        rules: SetRules | None,
    ) -> None:
        self._states = states
        self._hints = hints
        self._folds = folds
        self._rules = rules

    def rewards(self, policies: Sequence[HintPolicy], rewards: Rewards) -> NDArray[np.float64]:
        """Return what each session earns, prices taken off.

        Args:
            policies: One for each member.

        Returns:
            By member, and within one by session; shape `[held-out sessions]`.
        """
        earned: list[NDArray[np.float64]] = []
        for member, policy in enumerate(policies):
            actions = self._likeliest(policy, member)
            paid = rewards(np.flatnonzero(self._folds == member), actions)
            earned.append(paid if self._rules is None else paid - self._rules.price(actions))
        return np.concatenate(earned)

    def choices(self, policies: Sequence[HintPolicy]) -> Actions:
        """Return them by session, `[S]` or `[S, most]`; -1 where none was held out."""
        shape = (len(self._states),) + (() if self._rules is None else (self._rules.most,))
        choices = np.full(shape, -1, dtype=np.int64)
        for member, policy in enumerate(policies):
            choices[self._folds == member] = self._likeliest(policy, member)
        return choices

    def _likeliest(self, policy: HintPolicy, member: int) -> Actions:
        states = self._states[self._folds == member]
        actor = actor_of(policy)
        if self._rules is None:
            return greedy_actions(actor, states, self._hints)
        return greedy_picks(actor, states, self._hints, self._rules.most)


def choose_checkpoint(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Choose the latest checkpoint within a standard error of the best.

    The best of many by a small margin is mostly luck.
    """
    best = max(checkpoints, key=lambda checkpoint: checkpoint.rewards.mean())
    for checkpoint in reversed(checkpoints):
        behind = best.rewards - checkpoint.rewards
        if behind.mean() <= behind.std() / math.sqrt(len(behind)):
            return checkpoint
    return best
