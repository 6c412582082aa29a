"""Fills the reward table on demand, through the same code as production."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import BudgetSpentError
from ..knowledge.hints import Hint, hint_key
from ..knowledge.trials import gains
from ..runtime.options import RunOptions
from ..runtime.outages import OutageGuard
from .state import RecommendState
from .trials import try_hint


class RewardTable:
    """Rewards of hints in training sessions; what was paid before is never paid again.

    Args:
        states: Of the sessions, from `resolve_session`.
        hints: In the order of their actions; action 0 is no hint.
        options: The run's options.
    """

    def __init__(
        self, states: Sequence[RecommendState], hints: Sequence[Hint], options: RunOptions
    ) -> None:
        self._states = states
        self._hints = hints
        self._options = options
        self._known: dict[tuple[int, int], float] = {}
        self._without: dict[int, float] = {}
        self._asking = defaultdict[int, asyncio.Lock](asyncio.Lock)
        self._outages = OutageGuard(options, options.settings.concurrency)

    @property
    def unanswered(self) -> int:
        """Trials that the model left unanswered."""
        return self._outages.skipped

    async def load(self, domain_id: int) -> None:
        """Read what earlier runs have paid.

        Args:
            domain_id: Which domain.
        """
        rows = {state.get("training_session"): row for row, state in enumerate(self._states)}
        actions = {hint_key(hint.text): action for action, hint in enumerate(self._hints, 1)}
        async with self._options.services.engine.connect() as connection:
            paid = await gains(
                connection,
                domain_id,
                self._options.model,
                self._options.prompt_version,
                list(actions),
            )
        for gain in paid:
            if gain.session_id in rows:
                self._known[rows[gain.session_id], actions[gain.hint_key]] = gain.gain

    async def rewards(
        self, sessions: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return rewards, trying what was not tried yet.

        Args:
            sessions: Rows of the states, shape `[B]`.
            actions: Shape `[B]`.

        Returns:
            NDCG@10 with the hint minus without it, shape `[B]`; 0 where the model gave no answer,
            which is asked again when the cell is next visited.

        Raises:
            BudgetSpentError: No further call may be paid; what was paid is kept.
            ModelDownError: The model has given no answer for long.
        """
        cells: list[tuple[int, int]] = list(zip(sessions.tolist(), actions.tolist(), strict=True))
        missing = sorted({cell for cell in cells if cell[1] and cell not in self._known})

        async def gain(cell: tuple[int, int]) -> None:
            session, action = cell
            state = self._states[session]
            # Hints are tried on a session side by side; without one it is paid for once.
            async with self._asking[session]:
                if session not in self._without:
                    self._without[session] = (await try_hint(state, None, self._options)).ndcg
            hinted = await try_hint(state, self._hints[action - 1].text, self._options)
            self._known[cell] = hinted.ndcg - self._without[session]

        stopped = await self._outages.work_through(missing, gain)
        if isinstance(stopped, BudgetSpentError):
            every = len(self._states) * len(self._hints)
            left = f"{len(self._known):,} of {every:,} cells are tried."
            raise BudgetSpentError(stopped.field, f"{stopped.problem} {left}", stopped.remedy)
        if stopped is not None:
            raise stopped
        return np.array([self._known.get(cell, 0.0) for cell in cells])
