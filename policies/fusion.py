"""Fuses the first stage's order with a model's opinion, at a weight learned from sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, standardised
from ..rank_metrics import ndcgs

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
"""The weights to choose from, in deviations of the first stage's scores."""

FOLDS = 10
"""Session number `i` is in fold `i % FOLDS`."""
_LITTLE = 0.03
"""Smallest standard deviation to scale by, about a tenth of a usual one. An answer that hardly
differs from the average one must not be scaled up to full weight."""
_CONFIDENT = 1.96
_BY_CHANCE = 0.05
"""Tolerance when position averages are compared; each training measures them again."""
FEWEST_SESSIONS = 30
"""Sessions below which no weight is learned."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How much a model's opinion counts.

    Attributes:
        weight: Deviations of the first stage's scores that one deviation of opinion is worth.
        places: Mean score of each position in the prompt: many models favour early ones. Empty if
            it was not measured.
        sessions: Training sessions that the weight was learned on; 0 if it was not learned.
        gain: What the model adds to the first stage's NDCG@10 on sessions held out from the choice
            of the weight.
        low: Lower end of the gain's 95 % interval.
        high: Upper end.
    """

    weight: float
    places: Sequence[float] = ()
    sessions: int = 0
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether the model's answer can change an order."""
        return self.weight > 0

    def ranks_as(self, other: Fusion) -> bool:
        """Return whether another one gives the same ranking, whatever the model says."""
        if self.weight != other.weight or len(self.places) != len(other.places):
            return False
        pairs = zip(self.places, other.places, strict=True)
        return not self.counts or all(abs(a - b) <= _BY_CHANCE for a, b in pairs)

    def as_dict(self) -> dict[str, Any]:
        """Return it for state and database."""
        numbers = {
            name: round(getattr(self, name), 5) for name in ("weight", "gain", "low", "high")
        }
        return {**asdict(self), **numbers, "places": [round(float(p), 5) for p in self.places]}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Fusion:
        """Return what `as_dict` gave."""
        return cls(**stored)


REFERENCE = Fusion(0.5)
"""Used in every trial of a hint, so that trials can be compared."""
UNMEASURED = Fusion(0.2)
"""Used until a weight is learned. It is small: most models know less than past sessions do."""
LEADING = Fusion(3.0)
"""Used without past sessions: the model then knows more than the first stage."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """What a model said about training sessions.

    Attributes:
        first: The first stage's scores by a model that has not seen the session, one array
            `[candidates]` a session, in the order of the prompt.
        opinions: The model's scores of the candidates in the prompt, one array `[asked]` a session.
        chosen: The row of the chosen candidate in each.
    """

    first: Sequence[Floats]
    opinions: Sequence[Floats]
    chosen: Sequence[int]


def fused_order(first: Floats, opinion: Floats, fusion: Fusion) -> list[int]:
    """Rank candidates by the first stage's scores plus the weighted opinion.

    Args:
        first: Shape `[candidates]`, in the order of the prompt.
        opinion: The model's scores of the candidates in the prompt, which come first: shape
            `[asked]`.

    Returns:
        Candidate numbers from 1, best first; those that are not in the prompt come last, by the
        first stage.
    """
    count = len(opinion)
    scores = standardised(first)[:count] + fusion.weight * _calibrated(opinion, fusion.places)
    head = np.argsort(-scores, kind="stable")
    tail = count + np.argsort(-first[count:], kind="stable")
    return [int(row) + 1 for row in (*head, *tail)]


def mean_places(opinions: Sequence[Floats]) -> list[float]:
    """Return the mean score of each position in the prompt.

    Args:
        opinions: The model's scores by position, one array `[asked]` a session.
    """
    longest = max((len(opinion) for opinion in opinions), default=0)
    total, count = np.zeros(longest), np.zeros(longest)
    for opinion in opinions:
        total[: len(opinion)] += opinion
        count[: len(opinion)] += 1
    return (total / np.maximum(count, 1)).tolist()


def learn_fusion(data: Opinions, places: Sequence[float]) -> Fusion:
    """Learn how much a model's opinion should count.

    The gain is cross-validated: each session is ranked at the weight that the other folds prefer.
    A weight is kept only if it gains; otherwise it is 0, and the model need not be asked.

    Args:
        data: At least `FEWEST_SESSIONS` sessions; with fewer, the weight stays unmeasured.
        places: Mean scores from `mean_places` of answers without a hint.
    """
    count = len(data.chosen)
    if count < FEWEST_SESSIONS:
        return Fusion(UNMEASURED.weight, places)
    table = _ranks(data, places)
    gains = ndcgs(held_out_ranks(data, places)) - ndcgs(table[0])
    mean, error = float(gains.mean()), float(gains.std(ddof=1) / count**0.5)
    weight = WEIGHTS[_best(ndcgs(table))] if mean > 0 else 0.0
    bounds = mean - _CONFIDENT * error, mean + _CONFIDENT * error
    return Fusion(weight, places, count, mean, *bounds)


def held_out_ranks(data: Opinions, places: Sequence[float]) -> NDArray[np.int64]:
    """Return each target's rank at the weight that the other folds prefer, shape `[sessions]`."""
    table = _ranks(data, places)
    count = len(data.chosen)
    if count <= 1:
        return table[0]  # nothing was learned from others
    folds = np.arange(count) % FOLDS
    ranks = np.zeros(count, dtype=np.int64)
    for fold in range(min(FOLDS, count)):
        best = _best(ndcgs(table[:, folds != fold]))
        ranks[folds == fold] = table[best, folds == fold]
    return ranks


def _best(table: Floats) -> int:
    """Return the row of the smallest weight within a standard error of the best."""
    best = table[int(table.mean(axis=1).argmax())]
    for row, gains in enumerate(table):
        behind = best - gains
        if behind.mean() <= behind.std() / len(behind) ** 0.5:
            return row
    raise AssertionError  # the best is within its own error


def _ranks(data: Opinions, places: Sequence[float]) -> NDArray[np.int64]:
    """Return the target's rank for each of `WEIGHTS` and each session."""
    rows = list(zip(data.first, data.opinions, data.chosen, strict=True))
    return np.array(
        [
            [
                fused_order(first, said, Fusion(weight, places)).index(chosen + 1) + 1
                for first, said, chosen in rows
            ]
            for weight in WEIGHTS
        ]
    )


def _calibrated(opinion: Floats, places: Sequence[float]) -> Floats:
    if not opinion.any():
        return np.zeros(len(opinion))  # no answer is no opinion
    expected = np.zeros(len(opinion))
    known = list(places)[: len(opinion)]
    expected[: len(known)] = known
    said = opinion - expected
    return (said - said.mean()) / max(float(said.std()), _LITTLE)
