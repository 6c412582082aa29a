"""Runs the `learn` graph over many sessions, side by side with other learners."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..commands.console import progress
from ..errors import HintsFullError, Re2llmError
from ..knowledge.domains import find_domain
from ..knowledge.hint_stats import retire_harmful
from ..knowledge.hints import count_kept
from ..knowledge.reflections import settled_sessions
from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION
from ..ranking.hint_stats import update_figures
from ..runtime.budget import Budget
from ..runtime.options import Context, RunOptions, resolve_context
from ..runtime.outages import OutageGuard
from ..runtime.services import Services
from .graphs import LEARN, run_graph


@dataclass
class Learner:
    """One learner on a domain; any number of them may work at the same time.

    Attributes:
        services: Database, models and caches.
        domain: The catalogue.
        budget: What may be spent, and how many hints there may be.
        seed: Of every random choice.
        counts: Sessions, misses, sessions that the model left unanswered (`failed`), and what
            became of the proposed hints.
    """

    services: Services
    domain: str
    budget: Budget
    seed: int
    counts: Counter[str] = field(default_factory=Counter[str])
    _run: RunOptions = field(init=False)

    async def learn_from(self, todo: list[int], concurrency: int) -> Re2llmError | None:
        """Learn until the sessions, the room for hints or the budget are used up.

        A session that the model leaves unanswered is counted, and left for another run.

        Args:
            todo: Keys of training sessions, in order.
            concurrency: Sessions at a time.

        Returns:
            Why it stopped early: the budget ran out, or the model has been down for long.

        Raises:
            Re2llmError: The database failed; what was learnt is kept.
        """
        self._run = await self._options()
        outages = OutageGuard(self._run, concurrency)
        with progress(counts=True) as bar:
            task = bar.add_task("learning", total=len(todo))

            async def learn(key: int) -> None:
                stored = await count_hints(self.services, self.domain)
                bar.update(task, description=self._described(stored))
                self.budget.room_for_hints(stored)
                try:
                    await self._learn(key)
                finally:
                    bar.advance(task)

            try:
                stopped = await outages.work_through(todo, learn)
            finally:
                # After an interruption, too, hints can be chosen by what they have brought.
                self.counts["failed"] = outages.skipped
                self.counts["retired"] = await self._settle_figures()
        return None if isinstance(stopped, HintsFullError) else stopped

    async def _learn(self, key: int) -> None:

        locks = self.services.locks
        if not await locks.claim_session(key):
            return
        try:
            if await self._settled(key):
                return
            request: Any = {"session": key, "domain": self.domain}
            result = await run_graph(LEARN, request, self._context)
        finally:
            await locks.release_session(key)
        self.counts["sessions"] += 1
        self.counts["missed"] += bool(result["missed"])
        for proposal in result.get("proposals", []):
            self.counts["proposed"] += 1
            self.counts[proposal["outcome"]] += 1

    def _described(self, stored: int) -> str:
        cost = f", cost {self.budget.cost:.2f}" if self.budget.cost else ""
        return (
            f"learning: {self.counts['missed']} misses, {stored} hints, "
            f"{self.budget.calls} calls{cost}"
        )

    @property
    def _context(self) -> Context:

        return Context(domain=self.domain, budget=self.budget, seed=self.seed, command="learn")

    async def _options(self) -> RunOptions:

        return await resolve_context(self._context)

    async def _settled(self, key: int) -> bool:

        async with self.services.engine.connect() as connection:
            found = await find_domain(connection, self.domain)
            versions = (self._run.prompt_version, REFLECTION_PROMPT_VERSION)
            settled = await settled_sessions(
                connection, found.id, self._run.model, *versions, among=key
            )
            return bool(settled)

    async def _settle_figures(self) -> int:
        """Sum the trials up beside the hints; return how many were retired for measured harm."""
        async with self.services.engine.begin() as connection:
            found = await find_domain(connection, self.domain)
            await update_figures(connection, found.id, self._run)
            return len(await retire_harmful(connection, found.id))


async def count_hints(services: Services, domain: str) -> int:
    """Return how many hints are active or pending.

    Args:
        services: The database.
        domain: The catalogue.
    """
    async with services.engine.connect() as connection:
        return await count_kept(connection, (await find_domain(connection, domain)).id)
