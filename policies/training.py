"""Trains a hint policy; a reward is looked up only for the actions that were taken.

Action 0 gives no hint and earns 0 by definition, so it never costs a look-up.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .hint_features import HintFeatures
from .hint_policy import greedy_actions, one_thread
from .networks import ContentPolicy, Ensemble, HintPolicy, PaperPolicy
from .ppo import PPOTrainer, Rewards
from .recipes import Recipe, TrainingConfig, new_policy

_SEEDS_APART = 1_000_003

Folds = NDArray[np.int64]
"""The member that each session is held out from, `[S]`; -1 for none."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training sessions, and the hints to choose from.

    Attributes:
        states: Session descriptors (`content`) or embeddings (`paper`), `[S, D]`.
        hints: With the trials known at the start.
    """

    states: NDArray[np.floating[Any]]
    hints: HintFeatures


class CurvePoint(NamedTuple):
    """Progress after some rollouts; rewards are means per session."""

    update: int
    training_reward: float
    """Of the sampled actions since the previous point."""
    validation_reward: float
    """Of the likeliest actions in held-out sessions."""
    entropy: float
    """Of the policy, in nats."""
    cells: int
    """Distinct pairs of session and hint whose reward was looked up so far."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome of training.

    Attributes:
        policy: As it was at the chosen checkpoint.
        update: Of the chosen checkpoint; 0 is the untrained policy.
        validation_reward: Mean reward per session, each by the member that did not learn from it.
        curve: Learning curve, from update 0.
        cells: Distinct pairs of session and hint whose reward was looked up.
        folds: Which member each session was held out from.
        choices: The likeliest action in each session, by the member that did not learn from it; -1
            where none was held out.
    """

    policy: HintPolicy
    update: int
    validation_reward: float
    curve: tuple[CurvePoint, ...]
    cells: int
    folds: Folds
    choices: NDArray[np.int64]


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
    """Train by PPO, and keep the checkpoint that does well in held-out sessions.

    With several members, each is trained on all sessions but its own fold, so every session is
    both learned from and validated on.

    Deterministic: the same data, rewards and configuration give the same bits.

    Args:
        rewards: Maps rows of `states` `[B]` and actions `[B]` to rewards `[B]`: NDCG with the hint
            minus NDCG without. Asked once per pair, never for action 0.
        progress: Called with the number of finished rollouts and their total.

    Raises:
        ValueError: Fewer than two sessions, states that are no finite matrix, or no hint.
    """
    _check(data, recipe, config)
    folds = _folds(len(data.states), config)
    lookup = _RewardLookup(rewards)
    checkpoints: list[_Checkpoint] = []
    curve: list[CurvePoint] = []
    earned: list[float] = []
    entropy = math.nan
    with reproducible():
        learners = [
            _Learner(data, recipe, config, np.flatnonzero(folds != member), member)
            for member in range(config.members)
        ]
        updates = config.ppo.updates
        for update in range(updates + 1):
            if update:
                steps = [learner.step(lookup) for learner in learners]
                earned.append(float(np.mean([reward for reward, _ in steps])))
                entropy = float(np.mean([entropy for _, entropy in steps]))
            if update % config.validate_every == 0 or update == updates:
                policies = [copy.deepcopy(learner.average) for learner in learners]
                held_out = _held_out_rewards(policies, data, folds, lookup)
                checkpoints.append(_Checkpoint(update, held_out, policies))
                mean = float(np.mean(earned)) if earned else math.nan
                validation = float(held_out.mean())
                curve.append(CurvePoint(update, mean, validation, entropy, len(lookup)))
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
        _held_out_choices(policies, data, folds),
    )


@contextmanager
def reproducible() -> Generator[None]:
    """Compute in one thread, and restore torch's random state afterwards."""
    with torch.random.fork_rng(devices=[]), one_thread():  # pyright: ignore[reportUnknownMemberType]
        yield


class _Learner:
    """Trains one member on the sessions `training`, with its own seed and running average."""

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

    def step(self, rewards: Rewards) -> tuple[float, float]:
        """Make one rollout; return its mean reward and the policy's entropy after it."""
        sessions = next(self._order)
        rollout = self._trainer.collect(self._states[sessions], sessions, rewards)
        # Early on, the average must not cling to the untrained weights.
        decay = min(self._averaging, self._trainer.step / (self._trainer.step + 10))
        entropy = self._trainer.learn(rollout).entropy.item()
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self._policy.parameters(), strict=True)
            for mean, value in pairs:
                mean.lerp_(value, 1 - decay)
        return rollout.rewards.mean().item(), entropy


def _endless(training: NDArray[np.int64], size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield `size` sessions at a time, each session once before any comes again."""
    generator = np.random.default_rng([seed, 1])
    queue = generator.permutation(training)
    while True:
        if len(queue) < size:
            queue = np.concatenate([queue, generator.permutation(training)])
        yield queue[:size]
        queue = queue[size:]


class _RewardLookup:
    """Remembers rewards by session and action; unknown pairs are asked for all at once."""

    def __init__(self, rewards: Rewards) -> None:
        self._rewards = rewards
        self._known: dict[tuple[int, int], float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __call__(
        self, sessions: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        pairs = list(zip(sessions.tolist(), actions.tolist(), strict=True))
        unknown = [
            pair for pair in dict.fromkeys(pairs) if pair[1] != 0 and pair not in self._known
        ]
        if unknown:
            asked = np.array(unknown, dtype=np.int64)
            paid = np.asarray(self._rewards(asked[:, 0], asked[:, 1]), dtype=np.float64)
            if paid.shape != (len(unknown),) or not np.isfinite(paid).all():
                raise ValueError(
                    f"rewards: {len(unknown)} pairs need as many finite rewards, "
                    f"not an array of shape {paid.shape}."
                )
            self._known.update(zip(unknown, paid.tolist(), strict=True))
        return np.array([self._known.get(pair, 0.0) for pair in pairs], dtype=np.float64)


def _check(data: TrainingData, recipe: Recipe, config: TrainingConfig) -> None:
    if recipe == "paper" and config.members > 1:
        raise ValueError("members: only content policies can decide together.")
    least = max(2, config.members)
    if data.states.ndim != 2 or len(data.states) < least:  # noqa: PLR2004
        raise ValueError(
            f"states: the least number of rows is {least}; the shape is {data.states.shape}."
        )
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


def _held_out_choices(
    policies: Sequence[HintPolicy], data: TrainingData, folds: Folds
) -> NDArray[np.int64]:
    choices = np.full(len(data.states), -1, dtype=np.int64)
    for member, policy in enumerate(policies):
        choices[folds == member] = greedy_actions(policy, data.states[folds == member], data.hints)
    return choices


def _choose(checkpoints: Sequence[_Checkpoint]) -> _Checkpoint:
    """Choose the latest checkpoint within a standard error of the best.

    The best of many by a small margin is mostly luck.
    """
    best = max(checkpoints, key=lambda checkpoint: checkpoint.rewards.mean())
    for checkpoint in reversed(checkpoints):
        behind = best.rewards - checkpoint.rewards
        if behind.mean() <= behind.std() / math.sqrt(len(behind)):
            return checkpoint
    return best
