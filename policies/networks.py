"""The policies' networks: `content` (ours), `paper` (arXiv 2403.16427) and an ensemble.

Shapes: `B` sessions, `D` state dimensions, `H` hints, `E` embedding dimensions.
Action 0 gives no hint, action `i + 1` gives hint `i`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .actors import WIDTH, ContentConfig, PaperConfig, refuse_other_number
from .hint_features import STATISTIC_NAMES, HintFeatures
from .ppo import Outputs, masked_log_softmax


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """Return a layer with orthogonal weights of the given gain and zero bias."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _mlp(inputs: int, outputs: int, head_gain: float) -> nn.Sequential:
    """Return the paper's network: inputs → 64 → 64 → outputs with tanh."""
    return nn.Sequential(
        _linear(inputs, WIDTH, math.sqrt(2)),
        nn.Tanh(),
        _linear(WIDTH, WIDTH, math.sqrt(2)),
        nn.Tanh(),
        _linear(WIDTH, outputs, head_gain),
    )


class PaperPolicy(nn.Module):
    """The network of arXiv 2403.16427, section 3.3: an MLP over a fixed set of hints."""

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.actor = _mlp(config.state_size, 1 + config.hints, 0.01)
        self.critic = _mlp(config.state_size, 1, 1.0)

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Score every action in every state `[B, D]`, as `log_probabilities` does."""
        return Outputs(self.log_probabilities(states, hints), self.critic(states).squeeze(-1))

    def log_probabilities(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return the actor's part of `forward`, `[B, 1 + H]`.

        Args:
            states: Session embeddings, `[B, D]`.
            hints: The hints that it was trained with, in the same order.

        Raises:
            ValueError: The number of hints is not the one it was trained with.
        """
        refuse_other_number(self.config, hints)
        return masked_log_softmax(self.actor(states), torch.as_tensor(hints.mask))


class ContentPolicy(nn.Module):
    """Scores a hint by its text and its trials, so a new hint needs no new network.

    The logit of a hint is its prior (mean trial reward, shrunk) plus `<f(session), g(embedding)>`
    plus a linear function of its statistics. No parameter belongs to a single hint.

    One that picks several hints sees states with what was picked (`with_picked`). From the second
    hint on, `f` has a further term in the session and one in the mean `g` of those picked, and
    stopping one in how many they are. Its prior then leaves even odds of stopping.
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
        self.session = nn.Sequential(_linear(size, rank, 0.01))  # releases name it `session.0`
        self.hint = _linear(config.embedding_size, rank, 1.0)
        self.nothing = nn.Parameter(torch.zeros(rank))
        self.nothing_bias = nn.Parameter(torch.zeros(()))
        self.statistics = nn.Linear(len(STATISTIC_NAMES), 1, bias=False)
        nn.init.zeros_(self.statistics.weight)
        several = config.most > 1
        self.critic = _mlp(size + (config.most + len(STATISTIC_NAMES) + rank) * several, 1, 1.0)
        if several:
            self.further = _linear(size, rank, 0.01)
            self.pairs = nn.Parameter(torch.zeros(rank, rank))
            self.enough = nn.Parameter(torch.zeros(config.most))
            self.enough_for = nn.Linear(size, 1, bias=False)
            nn.init.zeros_(self.enough_for.weight)
        for name, length in (("state", size), ("statistics", len(STATISTIC_NAMES))):
            self.register_buffer(f"{name}_mean", torch.zeros(length))
            self.register_buffer(f"{name}_deviation", torch.ones(length))
        self.register_buffer("hint_mean", torch.zeros(config.embedding_size))
        self.register_buffer("hint_scale", torch.ones(()))

    def standardise(self, states: Tensor, hints: HintFeatures) -> None:
        """Store the training data's means and deviations, by which all inputs are scaled.

        Args:
            states: Of the training sessions, `[S, D]`.
        """
        self.state_mean.copy_(states.mean(0))
        self.state_deviation.copy_(_deviation(states))
        if not len(hints):
            return
        embeddings = torch.as_tensor(hints.embeddings)
        self.hint_mean.copy_(embeddings.mean(0) if len(hints) > 1 else self.hint_mean)
        centred = embeddings - self.hint_mean
        self.hint_scale.copy_(centred.square().sum(1).sqrt().mean().clamp_min(1e-6))
        statistics = torch.as_tensor(hints.statistics)
        self.statistics_mean.copy_(statistics.mean(0))
        self.statistics_deviation.copy_(_deviation(statistics))

    def unlearn(self) -> None:
        """Leave the prior alone: every session gets the hint with the best trials, and only it."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if not name.startswith(("hint", "critic")):  # neither counts by itself
                    parameter.zero_()

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Score every action in every state `[B, D]`, for any number of hints.

        States of `with_picked`, `[B, D + H]`, need a policy that may pick several.
        """
        prior, mask = self.prior_logits(hints, self.picked(states)), self.mask(states, hints)
        return Outputs(
            masked_log_softmax(prior + self.learned_logits(states, hints), mask),
            self.values(states, hints),
            masked_log_softmax(prior.reshape(-1, prior.shape[-1]), mask).squeeze(0),
        )

    def log_probabilities(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return the actor's part of `forward`, `[B, 1 + H]`."""
        prior = self.prior_logits(hints, self.picked(states))
        return masked_log_softmax(
            prior + self.learned_logits(states, hints), self.mask(states, hints)
        )

    def learned_logits(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return what training has added to the prior, `[B, 1 + H]`."""
        x, picked = self._scaled(states), self.picked(states)
        sessions = self.session(x)
        contents, statistics = self._contents(hints), self._statistics(hints)
        bias = self.statistics(statistics).squeeze(-1)
        nothing = (sessions @ self.nothing + self.nothing_bias)[:, None]
        if picked is not None:
            count = picked.sum(1, keepdim=True)
            later = (count > 0).float()
            mean = picked @ contents / count.clamp_min(1)
            sessions = sessions + later * (self.further(x) + mean @ self.pairs)
            enough = self.enough[count.long().clamp_max(self.config.most - 1)]
            nothing = nothing + later * (enough + self.enough_for(x))
        return torch.cat([nothing, sessions @ contents.T + bias], dim=1)

    def values(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return the critic's expected reward in each state, `[B]`."""
        x, picked = self._scaled(states), self.picked(states)
        if self.config.most > 1:
            if picked is None:
                picked = torch.zeros(len(states), len(hints))
            count = picked.sum(1, keepdim=True)
            share = picked / count.clamp_min(1)
            number = torch.arange(self.config.most) == count
            seen = (number.float(), share @ self._statistics(hints), share @ self._contents(hints))
            x = torch.cat([x, *(part.detach() for part in seen)], dim=1)
        return self.critic(x).squeeze(-1)

    def prior_logits(self, hints: HintFeatures, picked: Tensor | None = None) -> Tensor:
        """Return the logits before training, `[1 + H]`; the session does not change them.

        Args:
            picked: What was picked in each state, `[B, H]`: it makes them `[B, 1 + H]`.
        """
        shrunken = torch.as_tensor(hints.shrunken_means(self.config.shrinkage))
        means = shrunken * self.config.inverse_temperature
        if picked is None:
            return torch.cat([torch.zeros(1), means])
        closed = (picked > 0) | ~torch.as_tensor(hints.active)
        others = means.masked_fill(closed, torch.finfo(means.dtype).min).logsumexp(1)
        later = (picked > 0).any(1) & ~closed.all(1)
        stop = torch.where(later, others, 0.0)[:, None]
        return torch.cat([stop, means.expand(len(picked), -1)], dim=1)

    def mask(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return the allowed actions, `[1 + H]`, or `[B, 1 + H]` where states say what is picked.

        Stopping always is.
        """
        picked = self.picked(states)
        if picked is None:
            return torch.as_tensor(hints.mask)
        stop = torch.ones(len(picked), 1, dtype=torch.bool)
        return torch.cat([stop, torch.as_tensor(hints.active) & (picked == 0)], dim=1)

    def picked(self, states: Tensor) -> Tensor | None:
        """Return what was picked in each state, `[B, H]`, if they say so."""
        size = self.config.state_size
        return states[:, size:] if states.shape[1] > size and self.config.most > 1 else None

    def _scaled(self, states: Tensor) -> Tensor:
        if self.config.most > 1:
            states = states[:, : self.config.state_size]
        return ((states - self.state_mean) / self.state_deviation).clamp(-4, 4)

    def _contents(self, hints: HintFeatures) -> Tensor:
        return self.hint((torch.as_tensor(hints.embeddings) - self.hint_mean) / self.hint_scale)

    def _statistics(self, hints: HintFeatures) -> Tensor:
        statistics = torch.as_tensor(hints.statistics)
        scaled = (statistics - self.statistics_mean) / self.statistics_deviation
        return scaled.clamp(-3, 3)


class Ensemble(nn.Module):
    """Content policies of the same shape, trained from different seeds, that decide together.

    Averaging what they learned removes most of the noise of a single training.
    """

    def __init__(self, members: Sequence[ContentPolicy]) -> None:
        super().__init__()
        self.config = members[0].config
        self.members = nn.ModuleList(members)

    def forward(self, states: Tensor, hints: HintFeatures) -> Outputs:
        """Average the members' learned logits and their values."""
        members = self._members
        return Outputs(
            self.log_probabilities(states, hints),
            torch.stack([member.values(states, hints) for member in members]).mean(0),
            members[0](states, hints).prior,
        )

    def log_probabilities(self, states: Tensor, hints: HintFeatures) -> Tensor:
        """Return the actors' part of `forward`, `[B, 1 + H]`; all members share one prior."""
        first, *_ = members = self._members
        learned = torch.stack([member.learned_logits(states, hints) for member in members])
        prior = first.prior_logits(hints, first.picked(states))
        return masked_log_softmax(prior + learned.mean(0), first.mask(states, hints))

    @property
    def _members(self) -> list[ContentPolicy]:
        return list(self.members)  # pyright: ignore[reportReturnType]  # torch knows modules only


HintPolicy = ContentPolicy | PaperPolicy | Ensemble


def _deviation(columns: Tensor) -> Tensor:
    deviation = columns.std(0, correction=0)
    return torch.where(deviation > 1e-6, deviation, 1.0)  # noqa: PLR2004
