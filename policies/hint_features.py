"""What a policy knows about each hint: its embedding and the statistics of its trials.

Shapes: `H` hints, `E` embedding dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STATISTIC_NAMES: tuple[str, ...] = ("mean", "standard_error", "helped", "harmed", "log_trials")
"""Columns of `statistics`: mean reward, its standard error, shares of trials, log(1 + trials)."""

_DOUBT = 0.1
"""Prior variance of a reward: an untried hint is uncertain, not useless."""


@dataclass(frozen=True, slots=True)
class HintFeatures:
    """The hints to choose from; action `i + 1` gives hint `i`, action 0 none.

    Attributes:
        embeddings: `[H, E]`.
        statistics: `[H, 5]`, columns as in `STATISTIC_NAMES`.
        active: Which hints may be chosen, `[H]`; retired ones may not.
    """

    embeddings: NDArray[np.float32]
    statistics: NDArray[np.float32]
    active: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        embeddings: NDArray[np.floating],
        statistics: NDArray[np.floating],
        active: NDArray[np.bool_] | None = None,
    ) -> HintFeatures:
        """Check and convert arrays.

        Args:
            embeddings: `[H, E]`.
            statistics: `[H, 5]`, rows of `statistics_row`.
            active: `[H]`; `None` for all.

        Raises:
            ValueError: The shapes do not match, or a number is not finite.
        """
        hints = len(embeddings)
        if embeddings.ndim != 2 or statistics.shape != (hints, len(STATISTIC_NAMES)):  # noqa: PLR2004
            raise ValueError(
                f"statistics: {embeddings.shape} embeddings need "
                f"({hints}, {len(STATISTIC_NAMES)}) statistics, not {statistics.shape}."
            )
        if active is not None and active.shape != (hints,):
            raise ValueError(f"active: the shape must be ({hints},), not {active.shape}.")
        if not (np.isfinite(embeddings).all() and np.isfinite(statistics).all()):
            raise ValueError("embeddings, statistics: every number must be finite.")
        return cls(
            np.array(embeddings, dtype=np.float32),
            np.array(statistics, dtype=np.float32),
            np.ones(hints, dtype=np.bool_) if active is None else active.copy(),
        )

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which actions are allowed, `[1 + H]`: no hint always is."""
        return np.concatenate([np.ones(1, dtype=np.bool_), self.active])

    def shrunken_means(self, shrinkage: float) -> NDArray[np.float32]:
        """Return each hint's mean reward after `shrinkage` more trials without gain, `[H]`."""
        trials = np.expm1(self.statistics[:, -1])
        means = self.statistics[:, 0] * trials / np.maximum(trials + shrinkage, 1e-9)
        return means.astype(np.float32)


def hint_statistics(
    rewards: Sequence[Sequence[float] | NDArray[np.floating]],
) -> NDArray[np.float64]:
    """Summarise each hint's rewards: NDCG with it minus NDCG without.

    Returns:
        `[H, 5]`, columns as in `STATISTIC_NAMES`.
    """
    rows = [_summary(np.asarray(trials, dtype=np.float64)) for trials in rewards]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(STATISTIC_NAMES))


def _summary(trials: NDArray[np.float64]) -> list[float]:
    count = len(trials)
    mean = float(trials.mean()) if count else 0.0
    error = float(trials.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return statistics_row(count, mean, error, int((trials > 0).sum()), int((trials < 0).sum()))


def statistics_row(trials: int, mean: float, error: float, helped: int, harmed: int) -> list[float]:
    """Return one row of `HintFeatures.statistics`.

    Args:
        error: Its standard error, 0 if unknown.
    """
    squares = error**2 * trials * max(trials - 1, 0)
    variance = (squares + _DOUBT) / (trials + 1)
    return [
        mean,
        math.sqrt(variance / (trials + 1)),
        helped / max(trials, 1),
        harmed / max(trials, 1),
        math.log1p(trials),
    ]
