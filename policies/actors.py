"""The policies as they serve: the actors of `networks.py`, computed by numpy alone.

Loading torch takes longer than all else that an answer needs. What is trained is `networks.py`;
what chooses, in validation and for a request, is this.

Shapes: `B` sessions, `D` state dimensions, `H` hints, `E` embedding dimensions.
Action 0 gives no hint, action `i + 1` gives hint `i`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyFloats
from .hint_features import STATISTIC_NAMES, HintFeatures

Tensors = Mapping[str, AnyFloats]
"""A network's weights by the names that torch gives them."""

WIDTH = 64
"""Of the paper's hidden layers."""


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Shape of the paper's policy: `D`, and the fixed number of hints."""

    state_size: int
    hints: int

    @property
    def most(self) -> int:
        """Return how many hints it picks for a session at most."""
        return 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the actor's weights."""
        return {
            "actor.0.weight": (WIDTH, self.state_size),
            "actor.0.bias": (WIDTH,),
            "actor.2.weight": (WIDTH, WIDTH),
            "actor.2.bias": (WIDTH,),
            "actor.4.weight": (1 + self.hints, WIDTH),
            "actor.4.bias": (1 + self.hints,),
        }


@dataclass(frozen=True, slots=True)
class ContentConfig:
    """Shape and prior of the content policy.

    Attributes:
        state_size: `D`.
        embedding_size: `E`.
        rank: Dimensions in which sessions and hints meet.
        shrinkage: Trials without gain by which each hint's prior mean reward is shrunk.
        inverse_temperature: Logits per unit of reward: how firmly the prior prefers the best hint.
        most: Hints that it picks for a session at most.
    """

    state_size: int
    embedding_size: int
    rank: int = 16
    shrinkage: float = 20.0
    inverse_temperature: float = 30.0
    most: int = 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the actor's weights and of what scales its inputs."""
        size, rank, figures = self.state_size, self.rank, len(STATISTIC_NAMES)
        several: dict[str, tuple[int, ...]] = {
            "further.weight": (rank, size),
            "further.bias": (rank,),
            "pairs": (rank, rank),
            "enough": (self.most,),
            "enough_for.weight": (1, size),
        }
        return {
            "session.0.weight": (rank, size),
            "session.0.bias": (rank,),
            "hint.weight": (rank, self.embedding_size),
            "hint.bias": (rank,),
            "nothing": (rank,),
            "nothing_bias": (),
            "statistics.weight": (1, figures),
            **(several if self.most > 1 else {}),
            "state_mean": (size,),
            "state_deviation": (size,),
            "statistics_mean": (figures,),
            "statistics_deviation": (figures,),
            "hint_mean": (self.embedding_size,),
            "hint_scale": (),
        }


class PaperActor:
    """The actor of `PaperPolicy`."""

    def __init__(self, config: PaperConfig, tensors: Tensors) -> None:
        self.config = config
        self._tensors = tensors

    def log_probabilities(
        self, states: AnyFloats, hints: HintFeatures, picked: AnyFloats | None = None
    ) -> NDArray[np.float64]:
        """Return the log-probability of each action, `[B, 1 + H]`; masked ones hugely negative.

        Args:
            states: Session embeddings, `[B, D]`.
            hints: The hints that it was trained with, in the same order.
            picked: Nothing: it picks one hint.

        Raises:
            ValueError: The number of hints is not the one it was trained with.
        """
        del picked
        refuse_other_number(self.config, hints)
        x = np.asarray(states, dtype=np.float32)
        for layer in (0, 2):
            x = np.tanh(_linear(self._tensors, f"actor.{layer}", x))
        return masked_log_softmax(_linear(self._tensors, "actor.4", x), hints.mask)


class ContentActor:
    """The actor of `ContentPolicy`, or of an `Ensemble` of several that decide together."""

    def __init__(self, config: ContentConfig, members: Sequence[Tensors]) -> None:
        self.config = config
        self._members = members

    def log_probabilities(
        self, states: AnyFloats, hints: HintFeatures, picked: AnyFloats | None = None
    ) -> NDArray[np.float64]:
        """Return the log-probability of each action, `[B, 1 + H]`; masked ones hugely negative.

        Args:
            states: Session descriptors, `[B, D]`.
            hints: Any number of them.
            picked: 1 for each hint that was picked, else 0, `[B, H]`; `None` for none.
        """
        states = np.asarray(states, dtype=np.float32)
        learned = sum(_learned(member, states, hints, picked) for member in self._members)
        logits = self._prior(hints, picked) + learned / np.float32(len(self._members))
        if picked is None:
            return masked_log_softmax(logits, hints.mask)
        stop = np.ones((len(picked), 1), dtype=np.bool_)
        return masked_log_softmax(logits, np.hstack([stop, hints.active & (picked == 0)]))

    def _prior(self, hints: HintFeatures, picked: AnyFloats | None) -> AnyFloats:
        """Return the logits before training, `[1 + H]`, or `[B, 1 + H]` given what was picked."""
        means = hints.shrunken_means(self.config.shrinkage) * np.float32(
            self.config.inverse_temperature
        )
        if picked is None or not picked.any():
            return np.concatenate([np.zeros(1, dtype=np.float32), means])
        closed = (picked > 0) | ~hints.active
        others = np.where(closed, -np.inf, means)
        top = np.where(closed.all(1), 0.0, others.max(1, initial=-np.inf))[:, None]
        later = (picked > 0).any(1) & ~closed.all(1)
        with np.errstate(divide="ignore"):  # of a full set, which is not used
            even = np.log(np.exp(others - top).sum(1)) + top[:, 0]
        stop = np.where(later, even, 0.0)[:, None]
        return np.hstack([stop, np.broadcast_to(means, others.shape)])


HintActor = ContentActor | PaperActor


def refuse_other_number(config: PaperConfig, hints: HintFeatures) -> None:
    """Raise `ValueError` unless the hints are as many as the paper's policy was trained with."""
    if len(hints) != config.hints:
        raise ValueError(
            f"hints: the paper policy was trained for {config.hints}, not {len(hints)}. "
            "Train again, or use the content policy."
        )


def masked_log_softmax(logits: AnyFloats, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return log-probabilities that give masked actions exactly zero probability.

    Args:
        logits: `[B, A]`.
        mask: Allowed actions, `[B, A]` or `[A]`, one at least in each row.
    """
    least = np.finfo(np.float32).min
    allowed = np.where(mask, logits, least).astype(np.float64)
    shifted = allowed - allowed.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _learned(
    weights: Tensors, states: AnyFloats, hints: HintFeatures, picked: AnyFloats | None
) -> AnyFloats:
    """Return what training has added to the prior, `[B, 1 + H]`."""
    x = ((states - weights["state_mean"]) / weights["state_deviation"]).clip(-4, 4)
    sessions = _linear(weights, "session.0", x)
    contents = _linear(
        weights, "hint", (hints.embeddings - weights["hint_mean"]) / weights["hint_scale"]
    )
    scaled = (hints.statistics - weights["statistics_mean"]) / weights["statistics_deviation"]
    bias = scaled.clip(-3, 3) @ weights["statistics.weight"][0]
    nothing = (sessions @ weights["nothing"] + weights["nothing_bias"])[:, None]
    if picked is not None and picked.any():
        count = picked.sum(1, keepdims=True)
        later = (count > 0).astype(np.float32)
        mean = picked @ contents / np.maximum(count, 1)
        further = _linear(weights, "further", x) + mean @ weights["pairs"]
        sessions = sessions + later * further
        enough = weights["enough"]
        number = np.minimum(count.astype(np.int64), len(enough) - 1)
        nothing = nothing + later * (enough[number] + x @ weights["enough_for.weight"].T)
    return np.hstack([nothing, sessions @ contents.T + bias])


def _linear(weights: Tensors, name: str, x: AnyFloats) -> AnyFloats:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
