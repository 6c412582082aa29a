"""Chooses cells (session x hint) to pay for, round by round, until more would change little.

Every hint is tried on a panel of sessions. Then each other session is visited once, and a few hints
are tried there that may be the best ones. Everything follows from the rewards of the cells chosen
so far, so that a run that starts again chooses the same cells.

Shapes: `S` sessions, `B` of them, `A = 1 + H` actions, action 0 gives no hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .acquisition import ExpectedGain, gain_of_more, trial_probabilities, uniform_draws
from .reward_imputation import cross_fitted, impute_rewards
from .reward_model import Features, Gathered

HINTS = 3
"""Hints to try in a session, on average."""
FEWEST = 300
"""Sessions to visit before the search stops by itself: training also validates on them."""
ROUND = 64
_SAMPLE = 128


@dataclass(frozen=True, slots=True)
class Round:
    """Cells to pay for next.

    Attributes:
        rows: Sessions, `[B]`.
        propensities: With which probability each action was drawn, `[B, A]`.
        chosen: Which actions were drawn, `[B, A]`; no hint always is.
    """

    rows: NDArray[np.int64]
    propensities: Floats
    chosen: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, rows: NDArray[np.bool_] | slice) -> Round:
        """Return some of its sessions."""
        return Round(self.rows[rows], self.propensities[rows], self.chosen[rows])


class CellSearch:
    """Proposes cells, and learns from their rewards which to propose next.

    Args:
        features: Of all sessions, in random order, and of all hints.
        sessions: Their keys, `[S]`.
        hints: Keys of the hints, `[H]`.
        first: The first row to visit; those before it are the panel's.
        seed: Of every random choice.
        left_out: Cells that look too good, and are neither tried nor learned from, `[S, A]`.

    Attributes:
        more: What visiting all other sessions would likely gain, as of the last `propose`; `None`
            before it, and where none is left.
    """

    def __init__(
        self,
        features: Features,
        sessions: Sequence[int],
        hints: Sequence[bytes],
        *,
        first: int,
        seed: int,
        left_out: NDArray[np.bool_] | None = None,
    ) -> None:
        self.more: ExpectedGain | None = None
        self._features = features
        self._sessions = sessions
        self._hints = hints
        self._first = self._next = first
        self._seed = seed
        every = (len(sessions), 1 + len(hints))
        self._left_out = np.zeros(every, dtype=np.bool_) if left_out is None else left_out
        self._gathered = Gathered(features)
        self._rows: list[int] = []
        self._tried: list[Floats] = []
        self._rewards: list[Floats] = []

    @property
    def visited(self) -> int:
        """Sessions visited after the panel."""
        return sum(row >= self._first for row in self._rows)

    @property
    def rows(self) -> NDArray[np.int64]:
        """All sessions with paid rewards, `[B]`: the panel's, then those visited."""
        return np.array(self._rows, dtype=np.int64)

    @property
    def cells(self) -> int:
        """Rewards that were taken, those without a hint, too."""
        return sum(int(np.isfinite(rewards).sum()) for rewards in self._rewards)

    def add_panel(self, rows: Sequence[int], rewards: Floats) -> None:
        """Take the rewards of every hint that are known.

        Args:
            rewards: `[B, A]`, NaN where they are not known.
        """
        for row, earned in zip(rows, rewards, strict=True):
            values = np.where(self._left_out[row], np.nan, earned)
            known = np.isfinite(values)
            if known.sum() > 1:  # there is something to compare
                self._add(row, known.astype(np.float64), values)

    def propose(self) -> Round | None:
        """Return what to pay for next, or `None` if no session is left."""
        left = len(self._sessions) - self._next
        if not left:
            self.more = None
            return None
        model = self._gathered.fit()
        sample = np.arange(self._first, len(self._sessions))[:_SAMPLE]
        likely = trial_probabilities(model, sample, HINTS, self._seed)
        self.more = gain_of_more(model, sample, likely, left, self._seed)
        rows = np.arange(self._next, self._next + min(ROUND, left))
        open_ = trial_probabilities(model, rows, HINTS, self._seed)
        open_[self._left_out[rows]] = 0.0
        keys = [self._sessions[row] for row in rows.tolist()]
        drawn = [uniform_draws(key, self._hints, self._seed) for key in keys]
        chosen = np.ones(open_.shape, dtype=np.bool_)
        chosen[:, 1:] = np.array(drawn) < open_[:, 1:]
        return Round(rows, open_, chosen)

    @property
    def enough(self) -> bool:
        """Whether visiting all other sessions would gain less than its noise."""
        return self.more is not None and self.more.little and self.visited >= FEWEST

    def take(self, asked: Round, rewards: Floats) -> None:
        """Take the rewards of a round, or of a part of it.

        Args:
            rewards: `[B, A]`, NaN where they are not known. A trial that the model left unanswered
                earned nothing, if the session has others; which are answered may follow the hint.
        """
        self._next = max(self._next, int(asked.rows.max(initial=self._next - 1)) + 1)
        for row, propensity, chosen, earned in zip(
            asked.rows.tolist(), asked.propensities, asked.chosen, rewards, strict=True
        ):
            if np.isfinite(earned[chosen]).any():
                self._add(row, propensity, np.where(chosen, np.nan_to_num(earned), np.nan))

    def imputed_rewards(self, folds: NDArray[np.int64]) -> Floats:
        """Return estimates of all rewards in `rows`, for each member of a policy, `[M, B, A]`.

        Args:
            folds: The member that each of `rows` is held out from, `[B]`; -1 for none.
        """
        rewards, tried = np.array(self._rewards), np.array(self._tried)
        expected = cross_fitted(self._features, self.rows, rewards, folds)
        return np.stack([impute_rewards(each, rewards, tried) for each in expected])

    def _add(self, row: int, propensity: Floats, rewards: Floats) -> None:
        self._rows.append(row)
        self._tried.append(propensity)
        self._rewards.append(rewards)
        self._gathered.add(row, rewards)
