"""Trains a hint policy from rewards that are looked up only where a decision led.

Action 0 gives no hint and earns 0 by definition, so it never costs a look-up.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .hint_policy import ContentPolicy, Ensemble, HintPolicy, PaperPolicy, greedy_actions
from .learner import Learner, TrainingData
from .ppo import Rewards
from .recipes import Recipe, TrainingConfig
from .reward_lookup import RewardLookup

__all__ = ["CurvePoint", "Trained", "TrainingConfig", "TrainingData", "train_hint_policy"]

Sessions = NDArray[np.int64]


class CurvePoint(NamedTuple):
    """How training stood after some rollouts; rewards are means a session."""

    update: int
    training_reward: float
    """Of the sampled actions since the point before."""
    validation_reward: float
    """Of the likeliest actions in the validation sessions."""
    entropy: float
    """Of the policy, in nats."""
    cells: int
    """Distinct pairs of session and hint whose reward was asked for so far."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome of training.

    Attributes:
        policy: As it was at the chosen checkpoint.
        update: Of the chosen checkpoint; 0 is the untrained policy.
        validation_reward: Its mean reward a validation session.
        curve: Learning curve, from update 0.
        cells: Distinct pairs of session and hint whose reward was asked for.
        training: Rows of `states` that were learned from.
        validation: Rows of `states` that only chose the checkpoint.
    """

    policy: HintPolicy
    update: int
    validation_reward: float
    curve: tuple[CurvePoint, ...]
    cells: int
    training: Sessions
    validation: Sessions


class _Checkpoint(NamedTuple):
    update: int
    rewards: NDArray[np.float64]
    policy: HintPolicy


def train_hint_policy(
    data: TrainingData,
    recipe: Recipe,
    config: TrainingConfig,
    rewards: Rewards,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train by PPO, and keep the checkpoint that does well in sessions it has not learned from.

    Deterministic: the same data, rewards and configuration give the same bits.

    Args:
        data: Sessions and hints.
        recipe: Which policy.
        config: How to train.
        rewards: Rows of `states` `[B]` and actions `[B]` to rewards `[B]`: NDCG with the hint minus
            NDCG without. Asked once a pair, never for action 0.
        progress: Told the rollouts done and their total.

    Raises:
        ValueError: Fewer than two sessions, states that are no finite matrix, or no hint.
    """
    _check(data)
    training, validation = _split(len(data.states), config)
    lookup = RewardLookup(rewards)
    checkpoints: list[_Checkpoint] = []
    curve: list[CurvePoint] = []
    earned: list[float] = []
    spread = math.nan
    with _reproducible():
        learners = [
            Learner(data, recipe, config, training, member) for member in range(config.members)
        ]
        updates = learners[0].updates
        for update in range(updates + 1):
            if update:
                steps = [learner.step(lookup) for learner in learners]
                earned.append(float(np.mean([step.reward for step in steps])))
                spread = float(np.mean([step.entropy for step in steps]))
            if update % config.validate_every == 0 or update == updates:
                policy = _together([copy.deepcopy(learner.average) for learner in learners])
                actions = greedy_actions(policy, data.states[validation], data.hints)
                seen = _Checkpoint(update, lookup(validation, actions), policy)
                checkpoints.append(seen)
                mean = float(np.mean(earned)) if earned else math.nan
                reward = float(seen.rewards.mean())
                curve.append(CurvePoint(update, mean, reward, spread, len(lookup)))
                earned = []
            if progress:
                progress(update, updates)
    chosen = _choose(checkpoints)
    return Trained(
        chosen.policy.eval(),
        chosen.update,
        float(chosen.rewards.mean()),
        tuple(curve),
        len(lookup),
        training,
        validation,
    )


def _check(data: TrainingData) -> None:
    if data.states.ndim != 2 or len(data.states) < 2:  # noqa: PLR2004
        raise ValueError(f"states: at least two sessions are needed, not {data.states.shape}.")
    if not np.isfinite(data.states).all():
        raise ValueError("states: every number must be finite.")
    if not bool(data.hints.active.any()):
        raise ValueError("hints: there is no active hint to choose.")


def _split(count: int, config: TrainingConfig) -> tuple[Sessions, Sessions]:
    order = np.random.default_rng(config.ppo.seed).permutation(count)
    held = min(max(1, round(config.validation_share * count)), count - 1)
    return np.sort(order[held:]), np.sort(order[:held])


def _together(policies: Sequence[ContentPolicy | PaperPolicy]) -> HintPolicy:
    members = [policy for policy in policies if isinstance(policy, ContentPolicy)]
    return Ensemble(members) if len(members) > 1 else policies[0]


def _choose(checkpoints: Sequence[_Checkpoint]) -> _Checkpoint:
    """Choose the latest checkpoint that validates within a standard error of the best.

    The best by a hair among many is mostly the luckiest; what was trained longest is not.
    """
    best = max(checkpoints, key=lambda checkpoint: checkpoint.rewards.mean())
    for checkpoint in reversed(checkpoints):
        behind = best.rewards - checkpoint.rewards
        if behind.mean() <= behind.std() / math.sqrt(len(behind)):
            return checkpoint
    return best


@contextmanager
def _reproducible() -> Generator[None]:
    """Keep the caller's randomness, and use one thread: matrices this small only lose by more."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
