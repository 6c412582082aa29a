"""Proximal policy optimisation of a decision, readable from top to bottom.

A session is a contextual bandit: one state, one action, one reward, done (arXiv 2403.16427,
section 3.3). So the advantage is `r - V(s)`: nothing is bootstrapped from one session to another.
`set_ppo.py` reduces several decisions in a session to this, by the return of each.
The clipped objective is equation 7 of Schulman et al., 2017 (arXiv 1707.06347).

A rollout is what is collected before each update, as in the papers; it is no rollout of a release.

Shapes: `B` sessions, `A` actions, `D` state dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Rewards = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Given sessions `[B]` and the action `[B]` taken in each, or the actions `[B, K]` of a sequence,
the reward `[B]` of each."""


@dataclass(frozen=True, slots=True)
class PPOConfig:
    """Settings of PPO; the defaults are from the authors of arXiv 2403.16427.

    Attributes:
        updates: Number of rollouts; the learning rate falls linearly to zero.
        rollout_size: Sessions per rollout.
        batch_size: Sessions per gradient step.
        epochs: Passes over each rollout.
        clip: Largest distance of a probability ratio from 1 that still earns.
        learning_rate: AdamW's learning rate at the start.
        weight_decay: AdamW's weight decay.
        entropy_coefficient: Weight of the entropy bonus.
        value_coefficient: Weight of the critic's squared error.
        prior_coefficient: Weight of KL(policy ‖ prior policy); needs a policy with a prior.
        max_gradient_norm: Longer gradients are clipped to it.
        normalise_advantages: Whether a rollout's advantages get mean 0 and deviation 1.
        gae_lambda: GAE's λ in a sequence of decisions; a single one has no use for it.
        seed: The seed of the sampling and the shuffling.
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
    gae_lambda: float = 0.95
    seed: int = 0


class Outputs(NamedTuple):
    """What a policy says about states.

    Attributes:
        log_probabilities: The log-probability of each action, `[B, A]`; masked ones hugely
            negative, never `-inf`.
        values: The critic's expected reward, `[B]`.
        prior: Log-probabilities before training, `[B, A]` or `[A]`, if the policy has a prior.
    """

    log_probabilities: Tensor
    values: Tensor
    prior: Tensor | None = None


ActorCritic = Callable[[Tensor], Outputs]
"""Maps states `[B, D]` to outputs."""


class Trajectories(NamedTuple):
    """Decisions, the actions taken, and what they earned: what PPO learns from at an update.

    Attributes:
        states: `[B, D]`.
        actions: `[B]`.
        log_probabilities: Log-probability of the action taken, under the policy that took it,
            `[B]`.
        values: What the critic expected, `[B]`.
        rewards: `[B]`.
    """

    states: Tensor
    actions: Tensor
    log_probabilities: Tensor
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
    """Draw one action per row, `[B]`, with Gumbel noise; exact for thousands of actions."""
    noise = torch.empty_like(log_probabilities).exponential_(generator=generator)
    return (log_probabilities - noise.clamp_min(1e-20).log()).argmax(-1)


def entropy(log_probabilities: Tensor) -> Tensor:
    """Return the entropy of each row in nats, `[B]`."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def advantages(rollout: Trajectories, *, normalise: bool) -> Tensor:
    """Return `r - V(s)`, `[B]`, scaled to mean 0 and deviation 1 if `normalise`."""
    result = rollout.rewards - rollout.values
    if normalise and len(result) > 1:
        result = (result - result.mean()) / (result.std() + 1e-8)
    return result


def ppo_losses(
    outputs: Outputs, rollout: Trajectories, advantage: Tensor, config: PPOConfig
) -> Losses:
    """Return the clipped surrogate, the value error and the regularisers, averaged over sessions.

    Args:
        outputs: The current policy's outputs in the rollout's states.
        advantage: `[B]`.
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


class PPOTrainer:
    """Improves a policy rollout by rollout.

    Args:
        module: Owns the parameters of actor and critic.
        config: The settings.
        act: Maps states to outputs; the module itself if `None`.
    """

    def __init__(
        self, module: nn.Module, config: PPOConfig, act: ActorCritic | None = None
    ) -> None:
        self.module = module
        self.config = config
        self.step = 0
        self.earned = 0.0
        """Mean reward of the sessions collected last, prices taken off."""
        self._act: ActorCritic = module if act is None else act
        self._generator = torch.Generator().manual_seed(config.seed)
        self._optimizer = torch.optim.AdamW(
            module.parameters(),
            lr=config.learning_rate,
            eps=1e-5,
            weight_decay=config.weight_decay,
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda done: max(0.0, 1 - done / config.updates)
        )

    def collect(
        self, states: Tensor, sessions: NDArray[np.int64], rewards: Rewards
    ) -> Trajectories:
        """Sample one action in each state and look up its reward.

        Args:
            states: `[B, D]`.
            sessions: The ids by which `rewards` knows the states, `[B]`.
            rewards: Asked for the sampled actions only.
        """
        with torch.no_grad():
            outputs = self._act(states)
            actions = sample(outputs.log_probabilities, self._generator)
            taken = outputs.log_probabilities.gather(1, actions[:, None]).squeeze(1)
        paid = torch.as_tensor(rewards(sessions, actions.numpy()), dtype=states.dtype)
        self.earned = paid.mean().item()
        return Trajectories(states, actions, taken, outputs.values, paid)

    def learn(self, rollout: Trajectories) -> Losses:
        """Make `epochs` passes over a rollout in shuffled batches; return the last losses.

        Raises:
            ValueError: It holds no session.
        """
        if not len(rollout.actions):
            raise ValueError("rollout: it holds no session.")
        advantage = advantages(rollout, normalise=self.config.normalise_advantages)
        losses = Losses(*[torch.zeros(())] * 5)
        for _ in range(self.config.epochs):
            order = torch.randperm(len(rollout.actions), generator=self._generator)
            for start in range(0, len(order), self.config.batch_size):
                rows = order[start : start + self.config.batch_size]
                batch = Trajectories(*(part[rows] for part in rollout))
                losses = ppo_losses(self._act(batch.states), batch, advantage[rows], self.config)
                self._optimizer.zero_grad()
                losses.total.backward()  # pyright: ignore[reportUnknownMemberType]
                nn.utils.clip_grad_norm_(self.module.parameters(), self.config.max_gradient_norm)
                self._optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        self._schedule.step()
        self.step += 1
        return Losses(*(part.detach() for part in losses))
