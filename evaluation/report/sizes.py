"""What a policy gains with fewer hints, and with fewer training sessions, without a model call.

As in figures 3 and 4 of arXiv 2403.16427. Every point is a separate training from stored rewards,
evaluated on unseen sessions.

Shapes: `S` sessions, `H` hints, `D` state dimensions, `E` embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import AnyFloats, Ints
from ...policies.hint_features import HintFeatures, hint_statistics
from ...policies.hint_policy import greedy_actions
from ...policies.recipes import default_config
from ...policies.training import TrainingData, train_hint_policy
from ...policies.weights import actor_of
from ..bootstrap import Bootstrap

FEWEST_SESSIONS = 20
"""With fewer training sessions there is nothing to show."""
_MOST_POINTS = 5


@dataclass(frozen=True, slots=True)
class Cells:
    """Sessions in which every hint was tried.

    Attributes:
        states: What a policy sees of them, `[S, D]`.
        gains: NDCG@10 with each hint minus without, `[S, H]`.
        groups: Which sessions belong together, `[S]`, from `session_groups`.
    """

    states: AnyFloats
    gains: AnyFloats
    groups: Ints | None = None

    def some(self, sessions: Sequence[int] | slice, hints: int) -> Cells:
        """Return these sessions, and the first `hints` hints."""
        groups = None if self.groups is None else self.groups[sessions]
        return Cells(self.states[sessions], self.gains[sessions, :hints], groups)


@dataclass(frozen=True, slots=True)
class SizePoint:
    """What was gained at one size; each is a mean with the ends of its 95 % interval.

    Attributes:
        size: Hints, or training sessions.
        ppo: The gain of the trained policy.
        static: The gain of the hint that did best in the same training sessions.
    """

    size: int
    ppo: tuple[float, float, float]
    static: tuple[float, float, float]


def sizes_up_to(most: int, least: int) -> list[int]:
    """Return a few sizes in geometric progression from `least` to `most`."""
    points = np.geomspace(min(least, most), most, num=_MOST_POINTS)
    return sorted({round(point) for point in points.tolist()})


def by_hints(
    train: Cells, test: Cells, embeddings: AnyFloats, *, seed: int, on_point: Callable[[], None]
) -> list[SizePoint]:
    """Train with the oldest hints only.

    Args:
        embeddings: The embeddings of the hints, `[H, E]`, oldest first.
    """
    every = slice(None)
    points: list[SizePoint] = []
    for size in sizes_up_to(len(embeddings), 1):
        some = train.some(every, size), test.some(every, size)
        points.append(_point(size, *some, embeddings[:size], seed))
        on_point()
    return points


def by_sessions(
    train: Cells, test: Cells, embeddings: AnyFloats, *, seed: int, on_point: Callable[[], None]
) -> list[SizePoint]:
    """Train with some of the training sessions; hints' statistics come from those only, too.

    Args:
        train: Training sessions, at least `FEWEST_SESSIONS`.
        embeddings: The embeddings of the hints, `[H, E]`.
        seed: The seed of the draw, the training and the bootstrap.
    """
    order: list[int] = np.random.default_rng(seed).permutation(len(train.states)).tolist()
    points: list[SizePoint] = []
    for size in sizes_up_to(len(order), FEWEST_SESSIONS):
        some = train.some(order[:size], len(embeddings))
        points.append(_point(size, some, test, embeddings, seed))
        on_point()
    return points


def _point(size: int, train: Cells, test: Cells, embeddings: AnyFloats, seed: int) -> SizePoint:
    hints = HintFeatures.of(embeddings, hint_statistics(list(train.gains.T)))
    trained = train_hint_policy(
        TrainingData(train.states, hints),
        "content",
        default_config("content", seed=seed),
        lambda sessions, actions: train.gains[sessions, actions - 1].astype(np.float64),
    )
    actions = greedy_actions(actor_of(trained.policy), test.states, hints)
    rows = np.arange(len(actions))
    ppo = np.where(actions > 0, test.gains[rows, np.maximum(actions, 1) - 1], 0.0)
    means = train.gains.mean(axis=0)
    static = test.gains[:, means.argmax()] if means.max() > 0 else np.zeros(len(rows))
    chosen, always = Bootstrap(seed=seed, groups=test.groups).means(np.stack([ppo, static]))
    return SizePoint(
        size, (chosen.mean, chosen.low, chosen.high), (always.mean, always.low, always.high)
    )
