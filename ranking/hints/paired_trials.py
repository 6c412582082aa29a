"""Measures gains: a session's trial with hints, less the one without, which all hints share."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ...knowledge.hint_store.hints import Hint
from ...runtime.options import RunOptions
from ..state import RecommendState
from .trials import try_hint


class PairedTrials:
    """Pays for a session's trial without a hint once, however many ask at the same time.

    Args:
        options: The run's options.
        without: NDCG@10 without a hint where that is known, by session.
    """

    def __init__(self, options: RunOptions, without: Mapping[int, float] | None = None) -> None:
        self._options = options
        self._without = dict(without or {})
        self._asking = defaultdict[int, asyncio.Lock](asyncio.Lock)

    async def gain(self, session: int, state: RecommendState, hint: str | Sequence[Hint]) -> float:
        """Return NDCG@10 with a hint, or with several together, minus without it.

        Args:
            session: What the caller calls it by.
            state: The session's state, from `resolve_session`.
            hint: As for `try_hint`.

        Raises:
            ModelDownError: The model gave no answer.
            BudgetSpentError: The budget allows no further call.
        """
        async with self._asking[session]:
            if session not in self._without:
                self._without[session] = (await try_hint(state, None, self._options)).ndcg
        return (await try_hint(state, hint, self._options)).ndcg - self._without[session]
