"""What trials in more sessions would likely gain: the expected value of sample information.

What hints gain is a Bayesian linear regression on the sessions' leading components. More sessions
would move its weights, and some choices with them.

Shapes: `S` sessions, `B` of them with known gains, `H` hints, `W` weights of a hint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats

_COMPONENTS = 10
_LARGEST = 4.0
_PENALTIES = 10.0 ** np.arange(0, 8)
"""Prior precisions of the weights, in units of the noise's. Components keep the variance that they
have among standardised descriptors. The largest leaves hardly more than the hints' means.
"""
_SAMPLE = 256
_ROUNDING = 1e-9
_DRAWS = 64


@dataclass(frozen=True, slots=True)
class ExpectedGain:
    """What more trials would likely gain.

    Attributes:
        gain: In mean reward a session.
        noise: Standard error with which all sessions together could show a gain.
    """

    gain: float
    noise: float

    @property
    def little(self) -> bool:
        """Whether the gain is lost in the noise."""
        return self.gain <= self.noise + _ROUNDING


def gain_of_more(
    states: NDArray[np.floating], rows: NDArray[np.int64], gains: Floats, seed: int
) -> ExpectedGain:
    """Return how much trials in all other sessions would likely raise the gain of the best choices.

    That is how far the expected gains would move, and how often that would change the choice.

    Args:
        states: Descriptors of all sessions, in random order, `[S, D]`.
        rows: Sessions with known gains, `[B]`.
        gains: Of each hint over no hint there, `[B, H]`.
        seed: Of the draws.
    """
    seen_of = leading_components(states)
    known = _Regression.of(seen_of[rows], gains)
    sample = seen_of[:_SAMPLE]
    now = _with_nothing(sample @ known.weights)
    best = now.argmax(1)
    places = np.arange(len(sample))
    moves = known.moves((len(states) - len(rows)) / len(rows))
    differences = known.variances_of_differences()
    draws = np.random.default_rng(seed).standard_normal((_DRAWS, *known.weights.shape))
    earned, spread = np.zeros(len(sample)), 0.0
    for draw in draws:
        step = sample @ (moves @ draw @ known.noise_root.T)
        for sign in (1, -1):  # pairs of opposite draws, so that no mean is off by chance
            later = now + sign * _with_nothing(step)
            choice = later.argmax(1)
            earned += (later[places, choice] - later[places, best]) / (2 * _DRAWS)
            spread += float(differences[choice, best].mean()) / (2 * _DRAWS)
    noise = math.sqrt((spread + float(earned.var())) / len(states))
    return ExpectedGain(float(earned.mean()), noise)


def leading_components(states: NDArray[np.floating]) -> Floats:
    """Return 1 and the leading principal components of each session, `[S, W]`.

    Args:
        states: Descriptors, `[S, D]`.
    """
    deviations = states.std(0)
    usual = np.where(deviations > 1e-6, deviations, 1.0)  # noqa: PLR2004
    scaled = ((states - states.mean(0)) / usual).clip(-_LARGEST, _LARGEST).astype(np.float64)
    centred = scaled - scaled.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    kept = min(_COMPONENTS, int((sizes > 1e-6).sum()))  # noqa: PLR2004
    return np.hstack([np.ones((len(states), 1)), centred @ directions[:kept].T])


def _with_nothing(gains: Floats) -> Floats:
    """Put before the hints' gains that of no hint, which is 0."""
    return np.hstack([np.zeros((len(gains), 1)), gains])


@dataclass(frozen=True)
class _Regression:
    """Gains by components; the weights' covariance is the noise's over `precision`.

    Attributes:
        weights: Means, `[W, H]`.
        products: What the known sessions say of the weights, `[W, W]`.
        precision: Likewise, with the prior's part, `[W, W]`.
        noise_root: `R` with `R R'` the covariance of one session's noise, `[H, H]`.
    """

    weights: Floats
    products: Floats
    precision: Floats
    noise_root: Floats

    @classmethod
    def of(cls, seen: Floats, gains: Floats) -> _Regression:
        """Fit it with the prior that predicts each session best from the others.

        Args:
            seen: Components, `[B, W]`.
            gains: `[B, H]`.
        """
        products = seen.T @ seen

        def fitted(penalty: float) -> tuple[float, Floats, Floats, Floats, float]:
            # The first weight is the hint's mean; one session's worth keeps it finite.
            prior = np.full(len(products), penalty)
            prior[0] = 1.0
            precision = products + np.diag(prior)
            reach = np.linalg.solve(precision, seen.T)
            leverage = np.einsum("bw,wb->b", seen, reach)
            weights = reach @ gains
            missed = gains - seen @ weights
            error = float(((missed / (1 - leverage)[:, None]) ** 2).sum())
            return error, weights, precision, missed, float(leverage.sum())

        _, weights, precision, missed, used = min(
            (fitted(float(penalty)) for penalty in _PENALTIES), key=lambda found: found[0]
        )
        noise = missed.T @ missed / max(len(seen) - used, 1.0)
        values, vectors = np.linalg.eigh(noise)
        return cls(weights, products, precision, vectors * np.sqrt(values.clip(0)))

    def moves(self, more: float) -> Floats:
        """Return a root of how far the weights would move, in units of the noise, `[W, W]`.

        What is uncertain now, less what stays so.

        Args:
            more: How many sessions more, for each known one.
        """
        after = self.precision + more * self.products
        moves = np.linalg.inv(self.precision) - np.linalg.inv(after)
        values, vectors = np.linalg.eigh(moves)
        return vectors * np.sqrt(values.clip(0))

    def variances_of_differences(self) -> Floats:
        """Return the noise's variance of the difference of two actions, `[1 + H, 1 + H]`."""
        rows = np.vstack([np.zeros(len(self.noise_root)), self.noise_root])
        return ((rows[:, None] - rows[None]) ** 2).sum(-1)
