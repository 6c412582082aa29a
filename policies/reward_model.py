"""What hints are worth in a session, and how sure that is: Bayesian linear regression.

`r(s, a) = t(s) + c(a) + <B x(s), g(a)>`: what is common to a session, what a hint gains
everywhere, and where descriptors of the session meet the hint's text. `x` and `g` are their leading
principal components, so `B` has low rank. Only differences between the actions of one session are
compared, so `t(s)`, most of the noise, drops out. How much `c`, what texts say, and what is each
hint's own may vary is chosen by EM, so that one hint may depend on the session and others not.

Shapes: `S` sessions, `A = 1 + H` actions (0 gives no hint, and its reward is 0), `W` weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats

_DESCRIPTORS = 10
_CONTENTS = 8
_SCALE = 0.2
"""Prior deviation of a part before anything was seen, in deviations of the noise."""
_STEPS = 10
_LARGEST = 4.0
_USUAL = 0.25
"""Deviation of a reward's noise, before any was seen."""


@dataclass(frozen=True)
class Features:
    """Sessions and hints as the model sees them.

    Attributes:
        sessions: `x`, `[S, D]`.
        actions: `g`: half of it what the hint's text says, half the hint's own, `[A, E]`.
    """

    sessions: Floats
    actions: Floats

    @classmethod
    def of(cls, states: NDArray[np.floating], embeddings: NDArray[np.floating]) -> Features:
        """Return the leading components.

        Args:
            states: Session descriptors, `[S, D']`.
            embeddings: Of the hints' texts, `[H, E']`.
        """
        spread = states.std(0)
        scaled = (states - states.mean(0)) / np.where(spread > 1e-6, spread, 1.0)  # noqa: PLR2004
        contents = _leading(embeddings.astype(np.float64), _CONTENTS)
        none = np.zeros((1, contents.shape[1]))
        own = np.eye(1 + len(contents))
        actions = np.hstack([np.vstack([none, contents]), own]) / np.sqrt(2.0)
        return cls(_leading(scaled.clip(-_LARGEST, _LARGEST), _DESCRIPTORS), actions)

    @property
    def size(self) -> int:
        """Number of weights, `W`."""
        return len(self.actions) + self.sessions.shape[1] * self.actions.shape[1]

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """Which weights vary alike, `[W]`: `c`; what texts say; what is each action's own."""
        count, columns = self.actions.shape
        own = np.arange(columns, dtype=np.int64) - (columns - count) + 2
        met = np.maximum(own, 1)
        return np.concatenate([np.zeros(count, np.int64), np.tile(met, self.sessions.shape[1])])

    def rows(self, session: int) -> Floats:
        """Return a session's features with each action, `[A, W]`."""
        count = len(self.actions)
        met = self.sessions[session][None, :, None] * self.actions[:, None, :]
        return np.concatenate([np.eye(count), met.reshape(count, -1)], axis=1)

    def worth(self, weights: Floats, sessions: NDArray[np.int64]) -> Floats:
        """Return what weights say of sessions, less what is common to a session.

        Args:
            weights: `[..., W]`.
            sessions: Rows, `[B]`.

        Returns:
            `[..., B, A]`.
        """
        count = len(self.actions)
        shape = (*weights.shape[:-1], self.sessions.shape[1], self.actions.shape[1])
        met = self.sessions[sessions] @ weights[..., count:].reshape(shape) @ self.actions.T
        return weights[..., None, :count] + met


class Gathered:
    """Sums over paid cells, session by session, from which a model is fitted.

    Args:
        features: Of all sessions and hints.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self.cells = 0
        """Comparisons: a session with `n` known actions has `n - 1`."""
        self._products = np.zeros((features.size, features.size))
        self._targets = np.zeros(features.size)
        self._squares = 0.0

    def add(self, session: int, rewards: Floats) -> None:
        """Add a session.

        Args:
            rewards: Of each action, NaN where it is not known, `[A]`.
        """
        known = np.isfinite(rewards)
        rows = self.features.rows(session)[known]
        rows -= rows.mean(0)
        earned = rewards[known] - rewards[known].mean()
        self.cells += int(known.sum()) - 1
        self._products += rows.T @ rows
        self._targets += rows.T @ earned
        self._squares += float(earned @ earned)

    def include(self, others: Gathered) -> None:
        """Add others' sessions, too."""
        self.cells += others.cells
        self._products += others._products
        self._targets += others._targets
        self._squares += others._squares

    def fit(self) -> RewardModel:
        """Fit the model, and choose how much each part of it may vary, by EM."""
        parts = self.features.parts
        sizes = np.bincount(parts)
        scales = np.full(len(sizes), _SCALE)
        for _ in range(_STEPS):
            model = self.fitted(scales)
            spread = (model.root**2).sum(0)  # the diagonal of precision^-1
            moments = np.bincount(parts, weights=model.mean**2 / model.variance + spread)
            scales = np.sqrt((moments + _SCALE**2) / (sizes + 1))
        return self.fitted(scales)

    def fitted(self, scales: Floats) -> RewardModel:
        """Fit the model with a given prior.

        Args:
            scales: Prior deviations of the parts, in deviations of the noise; shape `[parts]`.
        """
        precision = self._products + np.diag(scales[self.features.parts] ** -2.0)
        mean: Floats = np.linalg.solve(precision, self._targets).astype(np.float64)
        # As if one more cell had been seen, with a usual deviation: few cells may fit exactly.
        left = max(self._squares - float(self._targets @ mean), 0.0) + _USUAL**2
        return RewardModel(self.features, mean, precision, left / (self.cells + 1))


@dataclass(frozen=True)
class RewardModel:
    """A fitted model: weights have mean `mean` and covariance `variance * precision^-1`.

    Attributes:
        features: Of all sessions and hints.
        mean: `[W]`.
        precision: In units of the noise, `[W, W]`.
        variance: Of the noise of one reward within its session.
    """

    features: Features
    mean: Floats
    precision: Floats
    variance: float

    def expected(self, sessions: NDArray[np.int64]) -> Floats:
        """Return expected rewards, `[B, A]`, less what is common to a session."""
        return self.features.worth(self.mean, sessions)

    def draws(self, count: int, generator: np.random.Generator) -> Floats:
        """Draw weights from the posterior, `[count, W]`."""
        noise = generator.standard_normal((count, len(self.mean)))
        return self.mean + np.sqrt(self.variance) * noise @ self.root

    @cached_property
    def root(self) -> Floats:
        """A matrix `R` with `R' R = precision^-1`, `[W, W]`."""
        return np.linalg.inv(np.linalg.cholesky(self.precision)).astype(np.float64)


def _leading(rows: Floats, most: int) -> Floats:
    """Return the leading principal components, as a whole of deviation 1."""
    centred = rows - rows.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    kept = min(most, int((sizes > 1e-6).sum()))  # noqa: PLR2004
    found = centred @ directions[:kept].T
    return found / max(float(np.sqrt((found**2).sum(1).mean())), 1e-9)
