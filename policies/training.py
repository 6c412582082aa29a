"""Trains a hint policy; a reward is looked up only for the actions that were taken.

Action 0 gives no hint and earns 0 by definition, so it never costs a look-up. A policy that picks
several hints (`TrainingConfig.most`) is rewarded for each set as a whole.
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
from torch import Tensor

from .hint_features import HintFeatures
from .hint_policy import greedy_actions, one_thread
from .networks import ContentPolicy, Ensemble, HintPolicy, PaperPolicy
from .ppo import Outputs, PPOTrainer, Rewards
from .recipes import Recipe, TrainingConfig, new_policy
from .sequences import SetRules, SetTrainer
from .set_policy import greedy_picks
from .sets import hint_sets

_SEEDS_APART = 1_000_003

Folds = NDArray[np.int64]
"""The member that each session is held out from, `[S]`; -1 for none."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training sessions, and the hints to choose from.

    Attributes:
        states: Session descriptors (`content`) or embeddings (`paper`), `[S, D]`.
        hints: With the trials known at the start.
        prices: What each hint costs that is not the first of its set, in units of the reward,
            `[H]`; `None` for nothing.
    """

    states: NDArray[np.floating[Any]]
    hints: HintFeatures
    prices: NDArray[np.floating[Any]] | None = None


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
    """Distinct pairs of session and hint, or set of hints, whose reward was looked up so far."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome of training.

    Attributes:
        policy: As it was at the chosen checkpoint.
        update: Of the chosen checkpoint; 0 is the untrained policy.
        validation_reward: Mean reward per session, each by the member that did not learn from it,
            prices taken off.
        curve: Learning curve, from update 0.
        cells: Distinct pairs of session and hint, or set of hints, whose reward was looked up.
        folds: Which member each session was held out from.
        choices: The likeliest action in each session `[S]`, or of several hints the picks
            `[S, most]`, by the member that did not learn from it; -1 where none was held out.
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
    rules = _rules(data, config)
    checkpoints: list[_Checkpoint] = []
    curve: list[CurvePoint] = []
    earned: list[float] = []
    entropy = math.nan
    with reproducible():
        learners = [
            _Learner(data, recipe, config, np.flatnonzero(folds != member), member, rules)
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
                held_out = _held_out_rewards(policies, data, folds, lookup, rules)
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
        _held_out_choices(policies, data, folds, rules),
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
        rules: SetRules | None,
    ) -> None:
        seed = config.ppo.seed + member * _SEEDS_APART
        self._states = torch.as_tensor(data.states, dtype=torch.float32)
        size = min(config.ppo.rollout_size, len(training))
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        self._policy = new_policy(recipe, config, self._states[training], data.hints)
        self.average = copy.deepcopy(self._policy)
        ppo = replace(config.ppo, seed=seed)
        if rules is None:
            self._trainer = PPOTrainer(self._policy, ppo, self._act)
        else:
            self._trainer = SetTrainer(self._policy, ppo, self._act, rules)
        self._hints = data.hints
        self._averaging = config.averaging
        self._order = _endless(training, size, seed)

    def _act(self, states: Tensor) -> Outputs:
        return self._policy(states, self._hints)

    def step(self, rewards: Rewards) -> tuple[float, float]:
        """Make one rollout; return its mean reward a session and the policy's entropy after it."""
        sessions = next(self._order)
        rollout = self._trainer.collect(self._states[sessions], sessions, rewards)
        # Early on, the average must not cling to the untrained weights.
        decay = min(self._averaging, self._trainer.step / (self._trainer.step + 10))
        entropy = self._trainer.learn(rollout).entropy.item()
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self._policy.parameters(), strict=True)
            for mean, value in pairs:
                mean.lerp_(value, 1 - decay)
        trainer = self._trainer
        one_step = not isinstance(trainer, SetTrainer)
        return rollout.rewards.mean().item() if one_step else trainer.earned, entropy


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
    """Remembers rewards by session and set; unknown pairs are asked for all at once."""

    def __init__(self, rewards: Rewards) -> None:
        self._rewards = rewards
        self._known: dict[tuple[int, tuple[int, ...]], float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __call__(
        self, sessions: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        pairs = list(zip(sessions.tolist(), hint_sets(actions), strict=True))
        places: dict[tuple[int, tuple[int, ...]], int] = {}
        for place, pair in enumerate(pairs):
            if pair[1] and pair not in self._known:
                places.setdefault(pair, place)
        if places:
            unknown, rows = list(places), list(places.values())
            paid = np.asarray(self._rewards(sessions[rows], actions[rows]), dtype=np.float64)
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
    if recipe == "paper" and config.most > 1:
        raise ValueError("most: only content policies can pick several hints.")
    if data.prices is not None and data.prices.shape != (len(data.hints),):
        raise ValueError(f"prices: the shape is {data.prices.shape}, not {(len(data.hints),)}.")
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


def _rules(data: TrainingData, config: TrainingConfig) -> SetRules | None:
    """Return what a set may hold; `None` where one decision is made."""
    if config.most == 1:
        return None
    count = len(data.hints)
    return SetRules(count, config.most, np.zeros(count) if data.prices is None else data.prices)


def _likeliest(
    policy: HintPolicy, data: TrainingData, rows: NDArray[np.bool_], rules: SetRules | None
) -> NDArray[np.int64]:
    """Return the likeliest actions `[B]`, or picks `[B, most]`, in some sessions."""
    if rules is None:
        return greedy_actions(policy, data.states[rows], data.hints)
    return greedy_picks(policy, data.states[rows], data.hints, rules.most)


def _held_out_rewards(
    policies: Sequence[HintPolicy],
    data: TrainingData,
    folds: Folds,
    rewards: Rewards,
    rules: SetRules | None,
) -> NDArray[np.float64]:
    """Return the rewards of each member's likeliest actions in the sessions held out from it."""
    sessions = np.concatenate([np.flatnonzero(folds == m) for m in range(len(policies))])
    actions = np.concatenate(
        [_likeliest(policy, data, folds == member, rules) for member, policy in enumerate(policies)]
    )
    earned = rewards(sessions, actions)
    return earned if rules is None else earned - rules.price(actions)


def _held_out_choices(
    policies: Sequence[HintPolicy], data: TrainingData, folds: Folds, rules: SetRules | None
) -> NDArray[np.int64]:
    shape = (len(data.states),) if rules is None else (len(data.states), rules.most)
    choices = np.full(shape, -1, dtype=np.int64)
    for member, policy in enumerate(policies):
        choices[folds == member] = _likeliest(policy, data, folds == member, rules)
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
