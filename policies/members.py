"""The members of a training: content policies that decide together, or one policy alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .hint_features import HintFeatures
from .ppo import Outputs, PPOTrainer, Rewards
from .recipes import PolicyRecipe, TrainingConfig, new_policy
from .set_ppo import SetRules, SetTrainer

_SEEDS_APART = 1_000_003


class Step(NamedTuple):
    """What a member did at an update."""

    reward: float
    """Mean reward a session of its rollout."""
    entropy: float
    """Of the policy after it, in nats."""


class Member:
    """Trains one member with its own seed and running average.

    Args:
        states: States of all sessions, `[S, D]`.
        hints: To choose from.
        recipe: The policy's recipe.
        config: How to train.
        training: Rows of the sessions to train on.
        number: Which member it is, from 0.
        rules: What a set may hold; `None` where one decision is made.

    Attributes:
        average: The policy with the running average of its weights.
    """

    def __init__(
        self,
        states: Tensor,
        hints: HintFeatures,
        recipe: PolicyRecipe,
        config: TrainingConfig,
        training: NDArray[np.int64],
        number: int,
        rules: SetRules | None,
    ) -> None:
        seed = config.ppo.seed + number * _SEEDS_APART
        size = min(config.ppo.rollout_size, len(training))
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        self._policy = new_policy(recipe, config, states[training], hints)
        self.average = copy.deepcopy(self._policy)
        ppo = replace(config.ppo, seed=seed)
        if rules is None:
            self._trainer = PPOTrainer(self._policy, ppo, self._act)
        else:
            self._trainer = SetTrainer(self._policy, ppo, self._act, rules)
        self._states = states
        self._hints = hints
        self._averaging = config.averaging
        self._order = _endless(training, size, seed)

    def _act(self, states: Tensor) -> Outputs:
        return self._policy(states, self._hints)

    def step(self, rewards: Rewards) -> Step:
        """Make one rollout, and learn from it."""
        sessions = next(self._order)
        rollout = self._trainer.collect(self._states[sessions], sessions, rewards)
        # Early on, the average must not cling to the untrained weights.
        decay = min(self._averaging, self._trainer.step / (self._trainer.step + 10))
        entropy = self._trainer.learn(rollout).entropy.item()
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self._policy.parameters(), strict=True)
            for mean, value in pairs:
                mean.lerp_(value, 1 - decay)
        return Step(self._trainer.earned, entropy)


def _endless(training: NDArray[np.int64], size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield `size` sessions at a time, each session once before any comes again."""
    generator = np.random.default_rng([seed, 1])
    queue = generator.permutation(training)
    while True:
        if len(queue) < size:
            queue = np.concatenate([queue, generator.permutation(training)])
        yield queue[:size]
        queue = queue[size:]
