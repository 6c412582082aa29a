"""The default policy: it scores hints by what they say and how they did.

Shapes: `B` sessions, `D` state dimensions, `H` hints, `E` embedding dimensions.
Action 0 gives no hint, action `i + 1` gives hint `i`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .hint_features import STATISTIC_NAMES, HintFeatures
from .layers import linear, mlp
from .ppo import Outputs, masked_log_softmax


@dataclass(frozen=True, slots=True)
class ContentConfig:
    """Shape and prior of the content policy.

    Attributes:
        state_size: `D`.
        embedding_size: `E`.
        rank: Dimensions in which sessions and hints meet.
        hidden: Width of the session tower's hidden layer; 0 makes it linear.
        shrinkage: Trials without gain that every hint's prior mean reward is shrunk by.
        inverse_temperature: Logits per unit of reward: how firmly the prior prefers the best hint.
    """

    state_size: int
    embedding_size: int
    rank: int = 16
    hidden: int = 0
    shrinkage: float = 20.0
    inverse_temperature: float = 30.0


class ContentPolicy(nn.Module):
    """Scores a hint by what it says and how it did, so a new hint needs no new network.

    The logit of a hint is its prior (mean trial reward, shrunk) plus `<f(session), g(embedding)>`
    plus a linear function of its statistics. No parameter belongs to a single hint.

    Args:
        config: Its shape.
    """

    state_mean: Tensor
    state_deviation: Tensor
    hint_mean: Tensor
    hint_scale: Tensor
    statistics_mean: Tensor
    statistics_deviation: Tensor

    def __init__(self, config: ContentConfig) -> None:
        super().__init__()
        self.config = config
        size, rank = config.state_size, config.rank
        last = linear(config.hidden or size, rank, 0.01)
        first = [linear(size, config.hidden, math.sqrt(2)), nn.Tanh()] if config.hidden else []
        self.session = nn.Sequential(*first, last)
        self.hint = linear(config.embedding_size, rank, 1.0)
        self.nothing = nn.Parameter(torch.zeros(rank))
        self.nothing_bias = nn.Parameter(torch.zeros(()))
        self.statistics = nn.Linear(len(STATISTIC_NAMES), 1, bias=False)
        nn.init.zeros_(self.statistics.weight)
        self.critic = mlp(size, 1, 1.0)
        for name, length in (("state", size), ("statistics", len(STATISTIC_NAMES))):
            self.register_buffer(f"{name}_mean", torch.zeros(length))
            self.register_buffer(f"{name}_deviation", torch.ones(length))
        self.register_buffer("hint_mean", torch.zeros(config.embedding_size))
        self.register_buffer("hint_scale", torch.ones(()))

    def standardise(self, states: Tensor, hints: HintFeatures) -> None:
        """Keep the training data's means and deviations, by which all inputs are scaled.

        Args:
            states: Of the training sessions, `[S, D]`.
            hints: Known at training time.
        """
        self.state_mean.copy_(states.mean(0))
        deviation = states.std(0, correction=0)
        self.state_deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))  # noqa: PLR2004
        if not len(hints):
            return
        self.hint_mean.copy_(hints.embeddings.mean(0) if len(hints) > 1 else self.hint_mean)
        centred = hints.embeddings - self.hint_mean
        self.hint_scale.copy_(centred.square().sum(1).sqrt().mean().clamp_min(1e-6))
        self.statistics_mean.copy_(hints.statistics.mean(0))
        deviation = hints.statistics.std(0, correction=0)
        self.statistics_deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))  # noqa: PLR2004

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Score every action in every state.

        Args:
            states: `[B, D]`.
            hints: Any number of them.
        """
        x, prior = self._scaled(states), self.prior_logits(hints)
        return Outputs(
            masked_log_softmax(prior + self._learned(x, hints), hints.mask),
            self.critic(x).squeeze(-1),
            masked_log_softmax(prior[None], hints.mask).squeeze(0),
        )

    def log_probabilities(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return what `forward` says of each action, without the critic: all that choosing needs.

        Args:
            states: `[B, D]`.
            hints: Any number of them.
        """
        logits = self.prior_logits(hints) + self.learned_logits(states, hints)
        return masked_log_softmax(logits, hints.mask)

    def learned_logits(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return what training has added to the prior, `[B, 1 + H]`.

        Args:
            states: `[B, D]`.
            hints: Any number of them.
        """
        return self._learned(self._scaled(states), hints)

    def values(self, states: Tensor) -> Tensor:
        """Return the critic's expected reward in each state, `[B]`.

        Args:
            states: `[B, D]`.
        """
        return self.critic(self._scaled(states)).squeeze(-1)

    def prior_logits(self, hints: HintFeatures) -> Tensor:
        """Return what is believed before any session was seen, `[1 + H]`."""
        means = hints.shrunken_means(self.config.shrinkage)
        return torch.cat([torch.zeros(1), means * self.config.inverse_temperature])

    def _scaled(self, states: Tensor) -> Tensor:
        return ((states - self.state_mean) / self.state_deviation).clamp(-4, 4)

    def _learned(self, x: Tensor, hints: HintFeatures) -> Tensor:
        sessions = self.session(x)
        contents = self.hint((hints.embeddings - self.hint_mean) / self.hint_scale)
        figures = (hints.statistics - self.statistics_mean) / self.statistics_deviation
        bias = self.statistics(figures.clamp(-3, 3)).squeeze(-1)
        nothing = (sessions @ self.nothing + self.nothing_bias)[:, None]
        return torch.cat([nothing, sessions @ contents.T + bias], dim=1)
