"""The policies that choose a hint for a session, or none.

Shapes: `B` sessions, `D` state dimensions, `H` hints, `E` embedding dimensions.
Action 0 gives no hint, action `i + 1` gives hint `i`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .hint_features import STATISTIC_NAMES, HintFeatures
from .ppo import Outputs, masked_log_softmax, sample

_WIDTH = 64


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


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Shape of the paper's policy.

    Attributes:
        state_size: `D`, the size of a session embedding.
        hints: How many hints there are, for good.
    """

    state_size: int
    hints: int


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
        last = _linear(config.hidden or size, rank, 0.01)
        first = [_linear(size, config.hidden, math.sqrt(2)), nn.Tanh()] if config.hidden else []
        self.session = nn.Sequential(*first, last)
        self.hint = _linear(config.embedding_size, rank, 1.0)
        self.nothing = nn.Parameter(torch.zeros(rank))
        self.nothing_bias = nn.Parameter(torch.zeros(()))
        self.statistics = nn.Linear(len(STATISTIC_NAMES), 1, bias=False)
        nn.init.zeros_(self.statistics.weight)
        self.critic = _mlp(size, 1, 1.0)
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
        x = ((states - self.state_mean) / self.state_deviation).clamp(-4, 4)
        sessions = self.session(x)
        contents = self.hint((hints.embeddings - self.hint_mean) / self.hint_scale)
        figures = (hints.statistics - self.statistics_mean) / self.statistics_deviation
        bias = self.statistics(figures.clamp(-3, 3)).squeeze(-1)
        learned = torch.cat(
            [
                (sessions @ self.nothing + self.nothing_bias)[:, None],
                sessions @ contents.T + bias,
            ],
            dim=1,
        )
        prior = self.prior_logits(hints)
        mask = hints.mask
        return Outputs(
            masked_log_softmax(prior + learned, mask),
            self.critic(x).squeeze(-1),
            masked_log_softmax(prior[None], mask).squeeze(0),
        )

    def prior_logits(self, hints: HintFeatures) -> Tensor:
        """Return what is believed before any session was seen, `[1 + H]`."""
        means = hints.shrunken_means(self.config.shrinkage)
        return torch.cat([torch.zeros(1), means * self.config.inverse_temperature])


class PaperPolicy(nn.Module):
    """The network of arXiv 2403.16427, section 3.3: an MLP over a fixed set of hints.

    Args:
        config: Its shape.
    """

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.actor = _mlp(config.state_size, 1 + config.hints, 0.01)
        self.critic = _mlp(config.state_size, 1, 1.0)

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Score every action in every state.

        Args:
            states: Session embeddings, `[B, D]`.
            hints: The very hints that it was made for, in the same order.

        Raises:
            ValueError: Another number of hints.
        """
        if len(hints) != self.config.hints:
            raise ValueError(
                f"hints: the paper policy was trained for {self.config.hints}, not {len(hints)}. "
                "Train again, or use the content policy."
            )
        logits = self.actor(states)
        return Outputs(masked_log_softmax(logits, hints.mask), self.critic(states).squeeze(-1))


class Ensemble(nn.Module):
    """Several content policies that decide together: what only one of them sees is mostly noise.

    Args:
        members: Trained from different seeds; all of the same shape.
    """

    def __init__(self, members: Sequence[ContentPolicy]) -> None:
        super().__init__()
        self.config = members[0].config
        self.members = nn.ModuleList(members)

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Average the members' log-probabilities and values.

        Args:
            states: `[B, D]`.
            hints: Any number of them.
        """
        outputs: list[Outputs] = [member(states, hints) for member in self.members]
        mean = torch.stack([output.log_probabilities for output in outputs]).mean(0)
        return Outputs(
            masked_log_softmax(mean, hints.mask),
            torch.stack([output.values for output in outputs]).mean(0),
            outputs[0].prior,
        )


HintPolicy = ContentPolicy | PaperPolicy | Ensemble


class Choice(NamedTuple):
    """An action, and the probability with which it was chosen."""

    action: int
    probability: float


def greedy_actions(
    policy: HintPolicy, states: NDArray[np.floating], hints: HintFeatures
) -> NDArray[np.int64]:
    """Return the likeliest action in each state, `[B]`; ties go to the lowest.

    Args:
        policy: Any.
        states: `[B, D]`.
        hints: To choose from.
    """
    with torch.no_grad():
        outputs = policy(torch.as_tensor(states, dtype=torch.float32), hints)
    return outputs.log_probabilities.argmax(-1).numpy()


def choose(
    policy: HintPolicy,
    state: NDArray[np.floating],
    hints: HintFeatures,
    *,
    explore_seed: int | None = None,
) -> Choice:
    """Choose for one session.

    Args:
        policy: Any.
        state: `[D]`.
        hints: To choose from.
        explore_seed: Draws from the policy's probabilities; `None` takes the likeliest.

    Returns:
        The action and its true probability: 1 for the likeliest, which is chosen for certain.
    """
    with torch.no_grad():
        outputs = policy(torch.as_tensor(state, dtype=torch.float32)[None], hints)
        log_probabilities = outputs.log_probabilities
        if explore_seed is None:
            return Choice(int(log_probabilities.argmax()), 1.0)
        action = int(sample(log_probabilities, torch.Generator().manual_seed(explore_seed)))
        return Choice(action, float(log_probabilities[0, action].exp()))


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _mlp(inputs: int, outputs: int, head_gain: float) -> nn.Sequential:
    return nn.Sequential(
        _linear(inputs, _WIDTH, math.sqrt(2)),
        nn.Tanh(),
        _linear(_WIDTH, _WIDTH, math.sqrt(2)),
        nn.Tanh(),
        _linear(_WIDTH, outputs, head_gain),
    )
