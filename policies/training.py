"""Trains a hint policy; a reward is looked up only for the actions that were taken.

Action 0 gives no hint and earns 0 by definition, so it never costs a look-up. A policy that picks
several hints (`TrainingConfig.most`) is rewarded for each set as a whole.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .held_out import Checkpoint, Folds, HeldOut, choose_checkpoint, draw_folds
from .hint_features import HintFeatures
from .members import Member, Step
from .networks import ContentPolicy, Ensemble, HintPolicy, PaperPolicy
from .ppo import Rewards
from .recipes import PolicyRecipe, TrainingConfig
from .reproducible import reproducible
from .reward_lookup import RewardLookup
from .set_policy import greedy_picks
from .set_ppo import SetRules
from .weights import actor_of


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
            prices taken off. Of many checkpoints it is that of one of the best, so it is not what
            to expect of new sessions.
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
    log = _TrainingLog(HeldOut(data.states, data.hints, folds, rules), lookup)
    with reproducible():
        states = torch.as_tensor(data.states, dtype=torch.float32)
        members = [
            Member(
                states, data.hints, recipe, config, np.flatnonzero(folds != number), number, rules
            )
            for number in range(config.members)
        ]
        updates = config.ppo.updates
        for update in range(updates + 1):
            if update:
                log.note([member.step(lookup) for member in members])
            if update % config.validate_every == 0 or update == updates:
                log.validate(update, [copy.deepcopy(member.average) for member in members])
            if progress:
                progress(update, updates)
    chosen = choose_checkpoint(log.checkpoints)
    policies = [policy.eval() for policy in chosen.policies]
    several = [policy for policy in policies if isinstance(policy, ContentPolicy)]
    return Trained(
        Ensemble(several) if len(several) > 1 else policies[0],
        chosen.update,
        float(chosen.rewards.mean()),
        tuple(log.curve),
        lookup.cells,
        folds,
        log.held_out.choices(policies),
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


class _TrainingLog:
    """The checkpoints of a training, and its learning curve.

    Args:
        held_out: Validates the members.
        lookup: The rewards that were looked up.
    """

    def __init__(self, held_out: HeldOut, lookup: RewardLookup) -> None:
        self.held_out = held_out
        self.checkpoints: list[Checkpoint] = []
        self.curve: list[CurvePoint] = []
        self._lookup = lookup
        self._earned: list[float] = []
        self._entropy = math.nan

    def note(self, steps: Sequence[Step]) -> None:
        """Note what the members did at an update."""
        self._earned.append(float(np.mean([step.reward for step in steps])))
        self._entropy = float(np.mean([step.entropy for step in steps]))

    def validate(self, update: int, policies: Sequence[ContentPolicy | PaperPolicy]) -> None:
        """Validate the members, and add a point to the curve."""
        rewards = self.held_out.rewards(policies, self._lookup)
        self.checkpoints.append(Checkpoint(update, rewards, policies))
        mean = float(np.mean(self._earned)) if self._earned else math.nan
        validation = float(rewards.mean())
        self.curve.append(CurvePoint(update, mean, validation, self._entropy, self._lookup.cells))
        self._earned = []


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
