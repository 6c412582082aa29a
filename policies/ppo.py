"""Proximal policy optimisation of a one-step decision, readable from top to bottom.

A session is a contextual bandit: one state, one action, one reward, done (arXiv 2403.16427,
section 3.3). So the advantage is `r - V(s)`: nothing is bootstrapped from one session to another.
The clipped objective is that of Schulman et al., 2017, arXiv 1707.06347, equation 7.

Shapes: `B` sessions, `A` actions, `D` state dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rewards = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Given sessions `[B]` and the action `[B]` taken in each, the reward `[B]` of each."""


@dataclass(frozen=True, slots=True)
class PPOConfig:
    """Settings of PPO; the defaults are those of the authors of arXiv 2403.16427.

    Attributes:
        updates: Rollouts in all; the learning rate reaches zero after the last.
        rollout_size: Sessions a rollout.
        batch_size: Sessions a gradient step.
        epochs: Times that a rollout is gone through.
        clip: How far from 1 a probability ratio still pays.
        learning_rate: Of Adam, at the start.
        weight_decay: Of AdamW; decoupled from the learning rate's moments.
        entropy_coefficient: Weight of the entropy bonus.
        value_coefficient: Weight of the critic's squared error.
        prior_coefficient: Weight of KL(policy ‖ prior policy); needs a policy with a prior.
        max_gradient_norm: Longer gradients are cut to it.
        normalise_advantages: Whether a rollout's advantages get mean 0 and deviation 1.
        seed: Of everything random.
    """

    updates: int = 100
    rollout_size: int = 256
    batch_size: int = 32
    epochs: int = 10
    clip: float = 0.05
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
    entropy_coefficient: float = 0.01
    value_coefficient: float = 0.5
    prior_coefficient: float = 0.0
    max_gradient_norm: float = 0.5
    normalise_advantages: bool = True
    seed: int = 0


class Outputs(NamedTuple):
    """What a policy says about states.

    Attributes:
        log_probabilities: Of each action, `[B, A]`; masked ones hugely negative, never `-inf`.
        values: The critic's expected reward, `[B]`.
        prior: Log-probabilities before anything was learned, `[B, A]` or `[A]`, if there are any.
    """

    log_probabilities: Tensor
    values: Tensor
    prior: Tensor | None = None


ActorCritic = Callable[[Tensor], Outputs]
"""Maps states `[B, D]` to outputs."""


class Rollout(NamedTuple):
    """What was seen and done, and under which probabilities: all that learning needs."""

    states: Tensor
    actions: Tensor
    log_probabilities: Tensor
    """Of the very action taken, under the policy that took it, `[B]`."""
    values: Tensor
    rewards: Tensor


class Losses(NamedTuple):
    """The parts of the loss; `total` is minimised."""

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    prior: Tensor


def masked_log_softmax(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return log-probabilities that give masked actions exactly zero probability.

    Args:
        logits: `[B, A]`; `-inf` counts as masked.
        mask: Allowed actions, `[B, A]` or `[A]`; `None` allows all.

    Raises:
        ValueError: A row allows no action.
    """
    allowed = ~torch.isneginf(logits)
    if mask is not None:
        allowed = allowed & mask
    if not bool(allowed.any(-1).all()):
        raise ValueError("mask: at least one action must be allowed in every row.")
    # The smallest finite number, for `0 * -inf` would turn the entropy and its gradient into NaN.
    return torch.log_softmax(logits.masked_fill(~allowed, torch.finfo(logits.dtype).min), dim=-1)


def sample(log_probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """Draw an action a row by the Gumbel trick: exact for thousands of actions.

    Args:
        log_probabilities: `[B, A]`.
        generator: The source of randomness.

    Returns:
        Actions, `[B]`.
    """
    noise = torch.empty_like(log_probabilities).exponential_(generator=generator)
    return (log_probabilities - noise.clamp_min(1e-20).log()).argmax(-1)


def entropy(log_probabilities: Tensor) -> Tensor:
    """Return the entropy of each row in nats, `[B]`."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def advantages(rollout: Rollout, *, normalise: bool) -> Tensor:
    """Return `r - V(s)`, `[B]`: sessions are unrelated, so there is no next state to count in.

    Args:
        rollout: With the critic's values at the time of acting.
        normalise: Whether to shift and scale to mean 0 and deviation 1.
    """
    result = rollout.rewards - rollout.values
    if normalise and len(result) > 1:
        result = (result - result.mean()) / (result.std() + 1e-8)
    return result


def ppo_losses(outputs: Outputs, rollout: Rollout, advantage: Tensor, config: PPOConfig) -> Losses:
    """Return the clipped surrogate, the value error and the regularisers, averaged over sessions.

    Args:
        outputs: Of the present policy in the rollout's states.
        rollout: Of the behaviour policy.
        advantage: `[B]`.
        config: Clip range and weights.
    """
    taken = outputs.log_probabilities.gather(1, rollout.actions[:, None]).squeeze(1)
    ratio = (taken - rollout.log_probabilities).exp()
    clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
    policy = -torch.minimum(ratio * advantage, clipped * advantage).mean()
    value = (outputs.values - rollout.rewards).square().mean()
    spread = entropy(outputs.log_probabilities).mean()
    prior = torch.zeros(())
    if outputs.prior is not None:
        surprise = outputs.log_probabilities - outputs.prior
        prior = (outputs.log_probabilities.exp() * surprise).sum(-1).mean()
    total = (
        policy
        + config.value_coefficient * value
        - config.entropy_coefficient * spread
        + config.prior_coefficient * prior
    )
    return Losses(total, policy, value, spread, prior)
