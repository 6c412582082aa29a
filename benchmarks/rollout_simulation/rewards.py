"""Rewards of simulated viewers whose true difference between two releases is set exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from re2llm.arrays import AnyFloats
from re2llm.errors import InputError

_TILT = 60.0
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class RewardModel:
    """How rewards are distributed for each kind of viewer, at each time, by release.

    Attributes:
        values: The rewards that there are, `[R]`, rising.
        cumulative: Probability of each or a lower one, `[time, kind, release, R]`; release 1 is the
            canary.
    """

    values: AnyFloats
    cumulative: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean reward of each time, kind and release."""
        return np.diff(self.cumulative, axis=-1, prepend=0.0) @ self.values

    def draw(
        self, time: float, kinds: NDArray[np.intp], canary: NDArray[np.bool_], rng: Any
    ) -> AnyFloats:
        """Draw rewards.

        Args:
            time: From 0 to 1.
            kinds: Of each viewer, `[N]`.
            canary: Who gets the canary, `[N]`.

        Returns:
            Shape `[N]`.
        """
        at = min(int(time * len(self.cumulative)), len(self.cumulative) - 1)
        cumulative = self.cumulative[at, kinds, canary.astype(np.intp)]
        return self.values[(rng.random(len(kinds))[:, None] > cumulative[:, :-1]).sum(axis=1)]


def reward_model(
    observed: Sequence[float], *, delta: float, spread: float = 0.5, drift: float = 0.3
) -> RewardModel:
    """Make a model of observed rewards.

    Args:
        observed: Rewards, such as NDCG@10 of what viewers of the sample domain picked.
        delta: Mean reward of the canary minus the active release's, for every kind at every time.
        spread: How unequal viewers are: the standard deviation of their tilt (see below).
        drift: How far everybody's rewards rise and fall over time, in the same unit.

    A tilt `t` multiplies the probability of a reward `r` by exp(t·r): it makes good or bad picks
    more frequent and invents none.

    Raises:
        InputError: The difference is larger than rewards allow.
    """
    values, counts = np.unique(np.asarray(observed, dtype=np.float64), return_counts=True)
    base = counts / counts.sum()
    kinds = spread * np.array([-1.5, -0.9, -0.5, -0.15, 0.15, 0.5, 0.9, 1.5])
    times = drift * np.sin(np.linspace(0, 2 * np.pi, 24))
    cumulative = np.empty((len(times), len(kinds), 2, len(values)))
    for row, now in enumerate(times):
        for column, own in enumerate(kinds):
            control = _tilted(base, values, now + own)
            cumulative[row, column, 0] = np.cumsum(control)
            cumulative[row, column, 1] = np.cumsum(_shifted(control, values, delta))
    cumulative[..., -1] = 1.0
    return RewardModel(values, cumulative)


def _tilted(base: AnyFloats, values: AnyFloats, tilt: float) -> AnyFloats:
    weights = base * np.exp(tilt * (values - values.max()))
    return weights / weights.sum()


def _shifted(base: AnyFloats, values: AnyFloats, delta: float) -> AnyFloats:
    """Tilt a distribution until its mean has moved by exactly a difference."""
    if not delta:
        return base
    wanted = float(base @ values) + delta
    low, high = -_TILT, _TILT
    if not _tilted(base, values, low) @ values < wanted < _tilted(base, values, high) @ values:
        raise InputError("delta", f"{delta:+g} moves rewards out of range.", "Take a smaller one.")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _tilted(base, values, middle) @ values < wanted else (low, middle)
        )
    return _tilted(base, values, (low + high) / 2)
