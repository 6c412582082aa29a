"""Trains a hint policy; a reward is looked up only for the actions that were taken.

Action 0 gives no hint and earns 0 by definition, so it never costs a look-up. A policy that picks
several hints (`TrainingConfig.most`) is rewarded for each set as a whole.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .held_out import Checkpoint, Folds, HeldOut, choose_checkpoint, draw_folds
from .hint_features import HintFeatures
from .networks import ContentPolicy, Ensemble, HintPolicy
from .ppo import Outputs, PPOTrainer, Rewards
from .recipes import PolicyRecipe, TrainingConfig, new_policy
from .reward_lookup import RewardLookup
from .set_policy import greedy_picks
from .set_ppo import SetRules, SetTrainer
from .weights import actor_of

_SEEDS_APART = 1_000_003


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
        update: Of the chosen checkpoint; 0 is the untrained policy, also that of `without_choice`.
        validation_reward: Mean reward per session, each by the member that did not learn from it,
            prices taken off. Of many checkpoints it
            is that of one of the best, so it is not what to expect of new sessions.
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


def train_hint_policy(
    data: TrainingData,
    recipe: PolicyRecipe,
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
        rewards: Maps rows of `states` `[B]` and actions `[B]`, or several hints `[B, most]`, to
            rewards `[B]`: NDCG with the hints minus NDCG without. Asked once for each session and
            set, never for no hint.
        progress: Called with the number of finished rollouts and their total.

    Raises:
        ValueError: Fewer than two sessions, states that are no finite matrix, or no hint.
    """
    _check(data, recipe, config)
    folds = draw_folds(len(data.states), config)
    lookup = RewardLookup(rewards)
    rules = _rules(data, config)
    held_out = HeldOut(data.states, data.hints, folds, rules)
    checkpoints: list[Checkpoint] = []
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
                judged = held_out.rewards(policies, lookup)
                checkpoints.append(Checkpoint(update, judged, policies))
                mean = float(np.mean(earned)) if earned else math.nan
                validation = float(judged.mean())
                curve.append(CurvePoint(update, mean, validation, entropy, lookup.cells))
                earned = []
            if progress:
                progress(update, updates)
    chosen = choose_checkpoint(checkpoints)
    policies = [policy.eval() for policy in chosen.policies]
    members = [policy for policy in policies if isinstance(policy, ContentPolicy)]
    return Trained(
        Ensemble(members) if len(members) > 1 else policies[0],
        chosen.update,
        float(chosen.rewards.mean()),
        tuple(curve),
        lookup.cells,
        folds,
        held_out.choices(policies),
    )


def without_choice(trained: Trained, hints: HintFeatures) -> Trained:
    """Return a content policy that gives all sessions the hint with the best trials.

    Args:
        hints: That it was trained on.
    """
    policy = copy.deepcopy(trained.policy)
    for module in policy.modules():
        if isinstance(module, ContentPolicy):
            module.unlearn()
    state = np.zeros((1, policy.config.state_size))
    most = trained.choices.shape[1] if trained.choices.ndim > 1 else 1
    (picks,) = greedy_picks(actor_of(policy), state, hints, most)
    choices = np.where(trained.choices < 0, -1, picks if trained.choices.ndim > 1 else picks[0])
    return replace(trained, policy=policy, update=0, choices=choices)


@contextmanager
def reproducible() -> Generator[None]:
    """Compute in one thread, and restore torch's random state afterwards."""
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        # For a small network, waking other threads is slower. Those that already run, such as a
        # text encoder's, keep their setting.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


class _Learner:
    """Trains one member on the sessions `training`, with its own seed and running average."""

    def __init__(
        self,
        data: TrainingData,
        recipe: PolicyRecipe,
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
        return self._trainer.earned, entropy


def _endless(training: NDArray[np.int64], size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield `size` sessions at a time, each session once before any comes again."""
    generator = np.random.default_rng([seed, 1])
    queue = generator.permutation(training)
    while True:
        if len(queue) < size:
            queue = np.concatenate([queue, generator.permutation(training)])
        yield queue[:size]
        queue = queue[size:]


def _check(data: TrainingData, recipe: PolicyRecipe, config: TrainingConfig) -> None:
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


def _rules(data: TrainingData, config: TrainingConfig) -> SetRules | None:
    """Return what a set may hold; `None` where one decision is made."""
    if config.most == 1:
        return None
    count = len(data.hints)
    return SetRules(count, config.most, np.zeros(count) if data.prices is None else data.prices)
