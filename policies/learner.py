"""One policy's training: its own seed, its own order of sessions, its running average."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .hint_features import HintFeatures
from .ppo import Rewards
from .ppo_trainer import PPOTrainer
from .recipes import Recipe, TrainingConfig, new_policy

_SEEDS_APART = 1_000_003


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training sessions, and the hints to choose from.

    Attributes:
        states: Session descriptors (`content`) or embeddings (`paper`), `[S, D]`.
        hints: With the trials known at the start.
    """

    states: NDArray[np.floating[Any]]
    hints: HintFeatures


class Step(NamedTuple):
    """Of one rollout: the mean reward of its actions, and the policy's entropy after it."""

    reward: float
    entropy: float


class Learner:
    """Trains one policy, rollout by rollout.

    Args:
        data: Sessions and hints.
        recipe: Which policy.
        config: How to train.
        training: Rows of `data.states` to learn from.
        member: Which of several policies this is; decides its seed.
    """

    def __init__(
        self,
        data: TrainingData,
        recipe: Recipe,
        config: TrainingConfig,
        training: NDArray[np.int64],
        member: int,
    ) -> None:
        seed = config.ppo.seed + member * _SEEDS_APART
        self._states = torch.as_tensor(data.states, dtype=torch.float32)
        size = min(config.ppo.rollout_size, len(training))
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        self._policy = new_policy(recipe, config, self._states[training], data.hints)
        self.average = copy.deepcopy(self._policy)
        self._trainer = PPOTrainer(
            self._policy,
            replace(config.ppo, seed=seed),
            lambda states: self._policy(states, data.hints),
        )
        self._averaging = config.averaging
        self._order = _endless(training, size, seed)

    def step(self, rewards: Rewards) -> Step:
        """Act in the next sessions, learn from what it earned, and move the running average.

        Args:
            rewards: Asked for the sampled actions only.
        """
        sessions = next(self._order)
        rollout = self._trainer.collect(self._states[sessions], sessions, rewards)
        # Early on, the average must not cling to the untrained weights.
        decay = min(self._averaging, self._trainer.step / (self._trainer.step + 10))
        entropy = self._trainer.learn(rollout).entropy.item()
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self._policy.parameters(), strict=True)
            for mean, value in pairs:
                mean.lerp_(value, 1 - decay)
        return Step(rollout.rewards.mean().item(), entropy)


def _endless(training: NDArray[np.int64], size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield `size` sessions at a time, each session once before any comes again."""
    generator = np.random.default_rng([seed, 1])
    queue = generator.permutation(training)
    while True:
        if len(queue) < size:
            queue = np.concatenate([queue, generator.permutation(training)])
        yield queue[:size]
        queue = queue[size:]
