"""Which hints are near-duplicates, by their texts and by their measured gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from .proof import FIRST_LOOK

SAME_GAINS = 0.97
"""Hints whose gains are at least this alike are the same, whatever they say."""
_LIKE_GAINS, _LIKE_TEXTS = 0.9, 0.35
"""Likeness of gains, and cosine of texts, from which two hints are the same. Paraphrases of one
sentence have cosines from 0.25 to 0.95, and so have sentences about other things; and hints that
help also gain alike by 0.8 where the model alone is often wrong. So neither is enough by itself."""
_DOUBT = 3.0
"""Standard errors by which likeness counts less: there are many pairs, some alike by chance."""
_UNEQUAL = 2.58
"""One of two hints is better if the mean difference is at least this many standard errors."""
_TELLING = 8
"""Sessions on which one of two hints must have changed something, before they can be compared."""
_SELDOM = 0.05
"""Share of the sessions in which a dominated hint may be the better one of two."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is known of each pair of hints, by the sessions on which both were tried.

    Attributes:
        cosine: Cosines of the texts, shape `[hints, hints]` like all others.
        sessions: The sessions on which both were tried.
        telling: Those on which at least one of them changed something.
        likeness: The likeness of their gains: the cosine of the two, less three standard errors, so
            that a few sessions show little; 0 if too few are telling.
        apart: Standard errors by which the first one's mean gain lies below the second one's.
    """

    cosine: Floats
    sessions: Floats
    telling: Floats
    likeness: Floats
    apart: Floats

    @property
    def same(self) -> NDArray[np.bool_]:
        """Which pairs are near-duplicates: alike in words and in gains; shape `[hints, hints]`.

        Two hints that do nothing are no duplicates, because that shows nothing. If one of two is
        clearly better, they are no duplicates either.
        """
        alike = (self.likeness >= _LIKE_GAINS) & (self.cosine >= _LIKE_TEXTS)
        equal = (self.sessions >= FIRST_LOOK) & (np.abs(self.apart) < _UNEQUAL)
        return equal & (alike | (self.likeness >= SAME_GAINS))


def pairs(gains: Floats, embeddings: Sequence[NDArray[np.float32]]) -> Pairs:
    """Compare each hint with each.

    Args:
        gains: The gain by hint and session, NaN where it was not tried; shape `[hints, sessions]`.
        embeddings: The embeddings of the texts, unit vectors, shape `[d]` each.
    """
    if not embeddings:
        none = np.zeros((0, 0))
        return Pairs(none, none, none, none, none)
    texts = np.stack(embeddings).astype(np.float64)
    tried = (~np.isnan(gains)).astype(np.float64)
    values = np.nan_to_num(gains)
    changed = (values != 0).astype(np.float64)
    telling = changed @ tried.T + tried @ changed.T - changed @ changed.T
    squares = (values**2) @ tried.T  # of one hint, on the sessions that it shares with another
    lengths = np.sqrt(squares * squares.T)
    products = values @ values.T
    cosine = products / np.where(lengths > 0, lengths, 1.0)
    likeness = np.tanh(
        np.arctanh(np.clip(cosine, -0.999999, 0.999999))
        - _DOUBT / np.sqrt(np.maximum(telling - 3, 1))
    )
    likeness = np.where(telling >= _TELLING, likeness, 0.0)
    shared = tried @ tried.T
    sums = values @ tried.T
    n = np.maximum(shared, 1)
    difference = (sums.T - sums) / n
    variance = np.maximum((squares + squares.T - 2 * products) / n - difference**2, 1e-12)
    apart = difference / np.sqrt(variance / n)
    return Pairs(texts @ texts.T, shared, telling, likeness, apart)


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How often each of two hints gains more, on the sessions on which both were tried.

    Attributes:
        sessions: How many these are.
        better: Those in which the first gains more.
        worse: Those in which the second gains more.
    """

    sessions: int
    better: int
    worse: int


def compare_pair(one: Floats, other: Floats) -> PairCounts:
    """Compare the gains of two hints.

    Args:
        one: Gains by session, NaN where it was not tried; shape `[sessions]`.
        other: Likewise, of the same sessions.
    """
    both = ~np.isnan(one) & ~np.isnan(other)
    more, less = one[both] > other[both], one[both] < other[both]
    return PairCounts(int(both.sum()), int(more.sum()), int(less.sum()))


def is_dominated(found: PairCounts, *, fewest: int) -> bool:
    """Return whether the first of two hints is hardly ever the better one, and often the worse.

    Args:
        fewest: Sessions on which both must have been tried.
    """
    # Add two of each kind (Agresti and Coull, 1998), so that a few sessions cannot show it.
    most = (found.better + 2) / (found.sessions + 4)
    often = found.worse > max(2 * found.better, _TELLING)
    return found.sessions >= fewest and most <= _SELDOM and often
