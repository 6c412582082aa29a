"""Fills the reward table on demand, through the same code as production."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import BudgetSpentError
from ...knowledge.hint_store.hints import Hint, hint_key
from ...knowledge.hint_store.trials import gains, tried_sets
from ...policies.sets import hint_sets
from ...records import counted
from ...runtime.options import RunOptions
from ...runtime.outages import OutageGuard
from ..state import RecommendState
from .paired_trials import PairedTrials

_Cell = tuple[int, tuple[int, ...]]
"""The row of a session, and the actions of the hints that it is given, ascending."""


class RewardTable:
    """Rewards of hints in training sessions; what was paid for before is not paid for again.

    Args:
        states: The sessions' states, from `resolve_session`.
        hints: The hints in the order of their actions; action 0 is no hint.
        options: The run's options.
        at_once: Trials at the same time; `None` takes the setting `concurrency`.
    """

    def __init__(
        self,
        states: Sequence[RecommendState],
        hints: Sequence[Hint],
        options: RunOptions,
        *,
        at_once: int | None = None,
    ) -> None:
        self._states = states
        self._hints = hints
        self._known: dict[_Cell, float] = {}
        self._trials = PairedTrials(options)
        self._outages = OutageGuard(
            options, at_once or options.settings.concurrency, reflects=False
        )

    @classmethod
    async def of(
        cls,
        domain_id: int,
        states: Sequence[RecommendState],
        hints: Sequence[Hint],
        options: RunOptions,
    ) -> RewardTable:
        """Return a table with the rewards that earlier runs have paid for.

        Args:
            states: The sessions' states, from `resolve_session`.
            hints: The hints in the order of their actions; action 0 is no hint.
        """
        table = cls(states, hints, options)
        rows = {state.get("training_session"): row for row, state in enumerate(states)}
        actions = {hint_key(hint.text): action for action, hint in enumerate(hints, 1)}
        prompted_model = options.prompted_model
        async with options.services.autocommit.connect() as connection:
            sets = {
                key: tuple(sorted(actions[one] for one in several))
                for key, several in (
                    await tried_sets(connection, domain_id, prompted_model)
                ).items()
                if actions.keys() >= set(several)
            }
            known = {**{key: (action,) for key, action in actions.items()}, **sets}
            paid = await gains(connection, domain_id, prompted_model, list(known))
        for gain in paid:
            if gain.session_id in rows:
                table._known[rows[gain.session_id], known[gain.hint_key]] = gain.gain
        return table

    @property
    def unanswered(self) -> int:
        """Trials that the model left unanswered."""
        return self._outages.skipped

    @property
    def cells(self) -> int:
        """Cells whose reward is known, those without a hint, too."""
        return len(self._known) + len({session for session, _ in self._known})

    def known(self, sessions: Sequence[int]) -> NDArray[np.float64]:
        """Return the known rewards of single hints, NaN where one is unknown.

        Args:
            sessions: Rows of the states, `[B]`.

        Returns:
            Shape `[B, 1 + H]`. No hint has the reward 0 where any trial of the session is known.
        """
        found = np.full((len(sessions), 1 + len(self._hints)), np.nan)
        for place, session in enumerate(sessions):
            for action in range(1, found.shape[1]):
                found[place, action] = self._known.get((session, (action,)), np.nan)
        found[np.isfinite(found).any(axis=1), 0] = 0.0
        return found

    async def rewards(
        self, sessions: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return rewards, after trying what was not tried yet.

        Args:
            sessions: Rows of the states, shape `[B]`.
            actions: One for each session, `[B]`; or several hints, `[B, K]`, with 0 for none.

        Returns:
            NDCG@10 with the hints minus without them, shape `[B]`. It is 0 where the model gave no
            answer; the next visit of that cell asks again.

        Raises:
            BudgetSpentError: The budget is spent; paid trials are kept.
            ModelDownError: The model has been down for long; paid trials are kept.
        """
        cells = list(zip(sessions.tolist(), hint_sets(actions), strict=True))
        missing = sorted({cell for cell in cells if cell[1] and cell not in self._known})

        async def gain(cell: _Cell) -> None:
            session, chosen = cell
            hints = [self._hints[action - 1] for action in chosen]
            self._known[cell] = await self._trials.gain(session, self._states[session], hints)

        stopped = await self._outages.work_through(missing, gain)
        if isinstance(stopped, BudgetSpentError):
            raise stopped.adding(
                f"So far, {counted(len(self._known), 'cell is', 'cells are')} tried."
            )
        if stopped is not None:
            raise stopped
        return np.array([self._known.get(cell, 0.0) for cell in cells])
