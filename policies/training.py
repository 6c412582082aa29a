"""Trains a hint policy from rewards that are looked up only where a decision led.

Action 0 gives no hint and earns 0 by definition, so it never costs a look-up.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hint_policy import ContentPolicy, Ensemble, HintPolicy, PaperPolicy, greedy_actions
from .learner import Learner, TrainingData
from .ppo import Rewards
from .recipes import Recipe, TrainingConfig
from .reward_lookup import RewardLookup
from .threads import reproducible

__all__ = ["CurvePoint", "Trained", "TrainingData", "train_hint_policy"]

Folds = NDArray[np.int64]
"""The member that each session is held out from, `[S]`; -1 for none."""


class CurvePoint(NamedTuple):
    """How training stood after some rollouts; rewards are means a session."""

    update: int
    training_reward: float
    """Of the sampled actions since the point before."""
    validation_reward: float
    """Of the likeliest actions in sessions that have not been learned from."""
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
        validation_reward: Mean reward a session, of members that have not learned from it.
        curve: Learning curve, from update 0.
        cells: Distinct pairs of session and hint whose reward was asked for.
        folds: Which member each session was held out from.
    """

    policy: HintPolicy
    update: int
    validation_reward: float
    curve: tuple[CurvePoint, ...]
    cells: int
    folds: Folds


class _Checkpoint(NamedTuple):
    update: int
    rewards: NDArray[np.float64]
    policies: Sequence[ContentPolicy | PaperPolicy]


def train_hint_policy(
    data: TrainingData,
    recipe: Recipe,
    config: TrainingConfig,
    rewards: Rewards,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train by PPO, and keep the checkpoint that does well in sessions it has not learned from.

    With several members each is trained on all sessions but its own fold: so every session is
    learned from, and every session validates.

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
    _check(data, recipe, config)
    folds = _folds(len(data.states), config)
    lookup = RewardLookup(rewards)
    checkpoints: list[_Checkpoint] = []
    curve: list[CurvePoint] = []
    earned: list[float] = []
    spread = math.nan
    with reproducible():
        learners = [
            Learner(data, recipe, config, np.flatnonzero(folds != member), member)
            for member in range(config.members)
        ]
        updates = config.ppo.updates
        for update in range(updates + 1):
            if update:
                steps = [learner.step(lookup) for learner in learners]
                earned.append(float(np.mean([step.reward for step in steps])))
                spread = float(np.mean([step.entropy for step in steps]))
            if update % config.validate_every == 0 or update == updates:
                policies = [copy.deepcopy(learner.average) for learner in learners]
                held = _held_out_rewards(policies, data, folds, lookup)
                seen = _Checkpoint(update, held, policies)
                checkpoints.append(seen)
                mean = float(np.mean(earned)) if earned else math.nan
                reward = float(seen.rewards.mean())
                curve.append(CurvePoint(update, mean, reward, spread, len(lookup)))
                earned = []
            if progress:
                progress(update, updates)
    chosen = _choose(checkpoints)
    policies = [policy.eval() for policy in chosen.policies]
    members = [policy for policy in policies if isinstance(policy, ContentPolicy)]
    return Trained(
        Ensemble(members) if len(members) > 1 else policies[0],
        chosen.update,
        float(chosen.rewards.mean()),
        tuple(curve),
        len(lookup),
        folds,
    )


def _check(data: TrainingData, recipe: Recipe, config: TrainingConfig) -> None:
    if recipe == "paper" and config.members > 1:
        raise ValueError("members: only content policies can decide together.")
    least = max(2, config.members)
    if data.states.ndim != 2 or len(data.states) < least:  # noqa: PLR2004
        raise ValueError(f"states: at least {least} sessions are needed, not {data.states.shape}.")
    if not np.isfinite(data.states).all():
        raise ValueError("states: every number must be finite.")
    if not bool(data.hints.active.any()):
        raise ValueError("hints: there is no active hint to choose.")


def _folds(count: int, config: TrainingConfig) -> Folds:
    order = np.random.default_rng(config.ppo.seed).permutation(count)
    folds = np.full(count, -1, dtype=np.int64)
    if config.members == 1:
        folds[order[: min(max(1, round(config.validation_share * count)), count - 1)]] = 0
    else:
        folds[order] = np.arange(count) % config.members
    return folds


def _held_out_rewards(
    policies: Sequence[HintPolicy], data: TrainingData, folds: Folds, rewards: Rewards
) -> NDArray[np.float64]:
    """Return the rewards of each member's likeliest actions in the sessions held out from it."""
    sessions = np.concatenate([np.flatnonzero(folds == m) for m in range(len(policies))])
    actions = [
        greedy_actions(policy, data.states[folds == member], data.hints)
        for member, policy in enumerate(policies)
    ]
    return rewards(sessions, np.concatenate(actions))


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
