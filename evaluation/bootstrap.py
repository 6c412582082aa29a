"""Seeded percentile-bootstrap intervals of means and of paired differences.

Sessions are resampled (Efron & Tibshirani 1993, chapter 13; Sakai 2006 for ranking metrics).
A resample of n sessions is the same as multinomial(n, 1/n) counts, so the means of all resamples of
all metrics of all systems are one matrix product. Sessions of one group are drawn together, because
one says what the others say (Davison & Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import Floats, Ints
from ..errors import InputError

_BLOCK = 1 << 22
"""Resampling counts held at once (32 MiB), so that memory suffices for many sessions."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate and its bootstrap interval.

    Attributes:
        mean: The plain mean over sessions; of a paired comparison, of `a - b`.
        low: The lower end.
        high: The upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def ends(self) -> list[float]:
        """Both ends, rounded for a report."""
        return [round(self.low, 4), round(self.high, 4)]


def are_one(sessions: Sized, groups: Ints | None = None) -> bool:
    """Return whether all sessions are one, which has an interval without a width: it is none.

    Args:
        sessions: Anything that holds as many.
        groups: As in `Bootstrap`.
    """
    return len(sessions) == 1 or (groups is not None and len(np.unique(groups)) == 1)


class Bootstrap:
    """Intervals for any number of metrics over the *same* sessions.

    All of them share the same resamples, which makes differences paired and results repeatable.

    Attributes:
        resamples: How many resamples are drawn.
        level: The interval's coverage, such as 0.95.
        seed: What the resamples are drawn from.
        groups: Which sessions belong together, `[sessions]`, such as from `session_groups`; `None`
            if each is of its own.
    """

    def __init__(
        self,
        *,
        resamples: int = 2000,
        level: float = 0.95,
        seed: int = 0,
        groups: Ints | None = None,
    ) -> None:
        if resamples < 1:
            raise InputError("resamples", f"is {resamples}.", "Use 1 or more; 2000 is customary.")
        if not 0 < level < 1:
            raise InputError("level", f"is {level}.", "Use a share between 0 and 1, such as 0.95.")
        self.resamples = resamples
        self.level = level
        self.seed = seed
        self.groups = groups

    def means(self, values: npt.ArrayLike) -> list[Interval]:
        """Return an interval of each row's mean.

        Args:
            values: Shape `(rows, sessions)`: a row for each metric of each system.

        Returns:
            One interval a row, in order.

        Raises:
            InputError: The values are not a matrix with at least one session, or not finite, or
                there is not one group for each session.
        """
        matrix = _matrix(values, "values")
        resampled = self._resample(matrix)
        tail = (1.0 - self.level) / 2.0
        low, high = np.quantile(resampled, [tail, 1.0 - tail], axis=1)
        return [
            Interval(float(mean), float(a), float(b))
            for mean, a, b in zip(matrix.mean(axis=1), low, high, strict=True)
        ]

    def mean(self, values: npt.ArrayLike) -> Interval:
        """Return an interval of the mean of one row of per-session values, shape `(sessions,)`."""
        return self.means(np.asarray(values)[np.newaxis])[0]

    def differences(self, a: npt.ArrayLike, b: npt.ArrayLike) -> list[Interval]:
        """Return an interval of each paired difference `mean(a) - mean(b)`.

        Args:
            a: Shape `(rows, sessions)`.
            b: The same sessions in the same order under another system, same shape.

        Returns:
            One interval a row; one that excludes 0 is a difference at `1 - level`.

        Raises:
            InputError: The shapes differ, or `means` would refuse either of them.
        """
        left, right = _matrix(a, "a"), _matrix(b, "b")
        if left.shape != right.shape:
            raise InputError(
                "b",
                f"has shape {right.shape} but a has {left.shape}.",
                "A paired comparison needs the same sessions in the same order on both sides.",
            )
        return self.means(left - right)

    def difference(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Interval:
        """Return an interval of one paired difference; both have shape `(sessions,)`."""
        return self.differences(np.asarray(a)[np.newaxis], np.asarray(b)[np.newaxis])[0]

    def _resample(self, matrix: Floats) -> Floats:
        """Return the means of all resamples, shape `(rows, resamples)`."""
        rng = np.random.default_rng(self.seed)
        sums, sizes = self._by_group(matrix)
        count = sums.shape[1]
        block = max(1, _BLOCK // count)
        parts: list[Floats] = []
        for start in range(0, self.resamples, block):
            drawn = min(block, self.resamples - start)
            picks = rng.integers(count, size=(drawn, count))
            picks += np.arange(drawn)[:, np.newaxis] * count
            counts = np.bincount(picks.ravel(), minlength=drawn * count).reshape(drawn, count).T
            parts.append(sums @ counts / (count if sizes is None else sizes @ counts))
        return np.concatenate(parts, axis=1)

    def _by_group(self, matrix: Floats) -> tuple[Floats, Ints | None]:
        """Return the sum of each group, and its size; `None` if each session is of its own."""
        if self.groups is None:
            return matrix, None
        if self.groups.shape != matrix.shape[1:]:
            raise InputError(
                "groups",
                f"have shape {self.groups.shape}, but the values have {matrix.shape}.",
                "Give one group for each session.",
            )
        _, numbers, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        if len(sizes) == len(numbers):
            return matrix, None
        sums = np.array([np.bincount(numbers, row) for row in matrix], dtype=np.float64)
        return sums, sizes


def _matrix(values: npt.ArrayLike, field: str) -> Floats:
    """Check and convert what was given to a float64 matrix."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] == 0:  # noqa: PLR2004
        raise InputError(
            field,
            f"has shape {matrix.shape}.",
            "Give at least one session, and one value for each of them.",
        )
    if not bool(np.isfinite(matrix).all()):
        raise InputError(field, "holds NaN or infinity.", "Score a missing target 0.")
    return matrix
