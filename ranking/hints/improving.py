"""Which hints to make better ones of, by the sessions on which each helped or harmed.

Two hints that help in different sessions are worth joining (the parents on the Pareto front of
GEPA, arXiv 2507.19457, are chosen for the same reason), and one that often harms is worth fixing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, centred_and_deviation
from .verification import Verification, verification

Way = Literal["join", "mend"]

_ENOUGH_TOGETHER = 24
"""Sessions on which all parents were tried, below which too little is known about them together."""
_SHOWN = 3
"""Sessions of each kind that the model is shown."""
_FIXABLE = 0.25
"""Share of its harm that fixing can take from a hint."""
LOOKS = (24, 96, 288)
"""Sessions after which a child is compared with its parents."""
_EARLY = 1.566
"""How much wider the interval is when a child is accepted early: at a tenth of the level."""
_LEAST = 96
"""Sessions below which a child is not accepted."""
NEEDED = _LEAST + 2 * _SHOWN
"""Sessions of the panel, those that the model is shown included, for a child to be accepted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Hints to make a better one of.

    Attributes:
        way: `join` two into one, or `mend` (fix) one.
        parents: Rows of the hints in the table of gains, the one with the larger gain first.
        promise: About the mean gain that a child may have. Two hints add up as far as their gains
            are not alike, and one may lose a part of its harm.
        shown: Columns of the sessions that show where they help and where they harm.
    """

    way: Way
    parents: tuple[int, ...]
    promise: float
    shown: tuple[int, ...]


def next_attempt(
    gains: Floats, before: Collection[frozenset[int]] = (), left_out: Collection[int] = ()
) -> Attempt | None:
    """Return the most promising attempt, or `None` if there is none.

    Args:
        gains: The gain by hint and session, NaN where a hint was not tried; shape `[hints,
            sessions]`.
        before: Parents that were tried before.
        left_out: Rows of hints that are no parents any more: too many attempts failed.
    """
    rows = [row for row in range(len(gains)) if row not in left_out]
    groups: list[tuple[int, ...]] = [*((row,) for row in rows), *combinations(rows, 2)]
    found: list[Attempt] = []
    for group in groups:
        if frozenset(group) in before:
            continue
        both = gains[list(group)]
        columns = np.flatnonzero(~np.isnan(both).any(axis=0))
        if len(columns) < _ENOUGH_TOGETHER:
            continue
        found.append(_attempt(group, both[:, columns], columns))
    return min(found, key=lambda one: (-one.promise, one.parents), default=None)


def _attempt(group: tuple[int, ...], gains: Floats, columns: NDArray[np.intp]) -> Attempt:
    means = gains.mean(axis=1)
    order = np.argsort(-means, kind="stable")
    if len(gains) > 1:
        alike = _correlation(gains[0], gains[1])
        promise = float(means.max()) + max(float(means.min()), 0.0) * (1 - max(alike, 0.0))
    else:
        promise = float(means[0]) + _FIXABLE * float(np.maximum(-gains[0], 0).mean())
    # Of one hint: what it harmed and helped most. Of two: where they differ most, either way.
    apart = gains[0] - gains[1] if len(gains) > 1 else gains[0]
    ranked = np.argsort(apart, kind="stable")
    picked = dict.fromkeys([*ranked[:_SHOWN].tolist(), *ranked[::-1][:_SHOWN].tolist()])
    return Attempt(
        way="join" if len(group) > 1 else "mend",
        parents=tuple(group[int(place)] for place in order),
        promise=promise,
        shown=tuple(int(columns[place]) for place in picked if apart[place] != 0),
    )


def _correlation(a: Floats, b: Floats) -> float:
    (one, first), (other, second) = centred_and_deviation(a), centred_and_deviation(b)
    spread = first * second
    return float((one * other).mean()) / spread if spread > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A child compared with its parents, on the same sessions.

    Attributes:
        gain: The child's gain over no hint.
        over_best: The child's gain over the parent with the larger mean.
    """

    gain: Verification
    over_best: Verification

    def is_better(self, *, last: bool) -> bool:
        """Return whether the child helps, and more than its best parent, beyond doubt.

        Args:
            last: Whether no more sessions follow. If they do, only a child that is far beyond
                doubt is accepted, because looking twice makes a lucky one likelier.
        """
        if self.gain.sessions < _LEAST:
            return False
        wider = 1.0 if last else _EARLY
        return all(one.mean > wider * (one.mean - one.low) for one in (self.gain, self.over_best))

    @property
    def is_hopeless(self) -> bool:
        """Whether more sessions will hardly show that it is better."""
        known = self.gain.sessions >= _LEAST
        return self.over_best.high < 0 or (known and self.over_best.mean <= 0)


def compare_with_parents(child: Sequence[float], parents: Sequence[Sequence[float]]) -> Comparison:
    """Compare gains by session, shape `[sessions]` each."""
    table = np.asarray(parents, float)
    best = table[int(table.mean(axis=1).argmax())]
    return Comparison(verification(child), verification((np.asarray(child) - best).tolist()))
