"""Learns from training sessions, each once, in parallel with other learners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from ...errors import BudgetSpentError, ModelDownError
from ...knowledge.hint_store.hints import count_kept
from ...ranking.hints.panels import sessions_to_learn
from ...runtime.context import Context
from ...runtime.options import RunOptions
from ...runtime.outages import OutageGuard
from ..database import in_domain
from ..graphs import learn_graph, run_graph
from ..hints.harmful import judge_by_trials
from ..hints.results import RetiredHint

_Piece = TypeVar("_Piece")


class Learner:
    """Runs the `learn` graph over training sessions of one domain.

    Args:
        context: The context that the graph runs under.
        options: The same, resolved.

    Attributes:
        counts: Sessions, misses, sessions that the model left unanswered (`failed`), misses that
            the reflecting model declined, proposed hints, and each of their outcomes.
        retired: Hints that were retired for harm.
    """

    def __init__(self, context: Context, options: RunOptions) -> None:
        self.counts: Counter[str] = Counter()
        self.retired: list[RetiredHint] = []
        self._context = context
        self._options = options

    async def work_through(
        self,
        pieces: Iterable[_Piece],
        work: Callable[[_Piece], Awaitable[None]],
        *,
        concurrency: int,
    ) -> BudgetSpentError | ModelDownError | None:
        """Do pieces of work that call `learn_from`, and update the hints' stats at the end.

        Args:
            pieces: Started in this order.
            work: Learns from one piece.

        Returns:
            Why it stopped early, or `None`; a piece that the model left unanswered is skipped.

        Raises:
            Re2llmError: The database failed, for example. What was learned is kept.
        """
        outages = OutageGuard(self._options, concurrency)
        try:
            return await outages.work_through(pieces, work)
        finally:
            self.counts["failed"] += outages.skipped
            self.retired += await judge_by_trials(self._options)

    async def learn_from(self, key: int) -> bool:
        """Learn from a training session, unless it is settled.

        Returns:
            Whether the session is settled now; `False` if another learner is working on it.
        """
        locks = self._options.services.locks
        if not await locks.claim_session(key):
            return False
        try:
            if not await self.unsettled([key]):
                return True
            request: Any = {"session": key, "domain": self._options.domain}
            result = await run_graph(learn_graph(), request, self._context)
        finally:
            await locks.release_session(key)
        self.counts["sessions"] += 1
        self.counts["missed"] += bool(result["missed"])
        reflection: Any = result.get("reflection")  # `None` of a hit
        self.counts["declined"] += bool(reflection and reflection["declined"])
        proposals = result.get("proposals", [])
        self.counts["proposed"] += len(proposals)
        self.counts.update(proposal["outcome"] for proposal in proposals)
        return True

    async def unsettled(self, keys: list[int]) -> list[int]:
        """Return the sessions that were not learned from yet, in the order to learn from them."""
        async with in_domain(self._options) as (connection, domain):
            return await sessions_to_learn(connection, domain.id, keys, self._options)

    async def count_hints(self) -> int:
        """Return how many hints of the domain are active or pending."""
        async with in_domain(self._options) as (connection, domain):
            return await count_kept(connection, domain.id)
