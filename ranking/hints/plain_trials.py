"""Trials without a hint, which all hints that are tried on a session share."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from ...runtime.options import RunOptions
from ..state import RecommendState
from .trials import try_hint


class PlainTrials:
    """Pays for a session's trial without a hint once, however many ask at the same time.

    Args:
        options: The run's options.
    """

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._known: dict[int, float] = {}
        self._asking = defaultdict[int, asyncio.Lock](asyncio.Lock)

    async def ndcg(self, session: int, state: RecommendState) -> float:
        """Return NDCG@10 without a hint.

        Args:
            session: What the caller calls it by.
            state: The session's state, from `resolve_session`.

        Raises:
            ModelDownError: The model gave no answer.
            BudgetSpentError: The budget allows no further call.
        """
        async with self._asking[session]:
            if session not in self._known:
                self._known[session] = (await try_hint(state, None, self._options)).ndcg
        return self._known[session]
