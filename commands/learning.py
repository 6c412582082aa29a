"""Runs the `learn` graph over many sessions, side by side with other learners."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import BudgetSpentError, Re2llmError
from .console import progress

if TYPE_CHECKING:
    from ..knowledge.training_sessions import SessionClaims
    from ..nodes.budget import Budget
    from ..nodes.services import Services


@dataclass
class Learner:
    """One learner on a domain; any number of them may work at the same time.

    Attributes:
        services: Database, models and caches.
        domain: The catalogue.
        budget: What may be spent, and how many hints there may be.
        seed: Of every random choice.
        counts: Sessions, misses, and what became of the proposed hints.
    """

    services: Services
    domain: str
    budget: Budget
    seed: int
    counts: Counter[str] = field(default_factory=Counter[str])

    async def learn_from(self, todo: list[int], concurrency: int) -> BudgetSpentError | None:
        """Learn until the sessions, the room for hints or the budget are used up.

        Args:
            todo: Keys of training sessions, in order.
            concurrency: Sessions at a time.

        Returns:
            The budget's error if calls or tokens ran out.

        Raises:
            Re2llmError: The model or the database failed; what was learnt is kept.
        """
        from ..knowledge.training_sessions import SessionClaims
        from ..nodes.budget import FULL

        queue = iter(todo)
        spent: list[BudgetSpentError] = []
        with progress(counts=True) as bar:
            task = bar.add_task("learning", total=len(todo))

            async def worker(claims: SessionClaims) -> None:
                for key in queue:
                    stored = await count_hints(self.services, self.domain)
                    bar.update(task, advance=1, description=self._described(stored))
                    most = self.budget.max_hints
                    if spent or (most is not None and stored >= most):
                        return
                    try:
                        await self._learn(key, claims)
                    except BudgetSpentError as error:
                        if error.field == FULL:
                            return
                        # The others may be waiting for answers that are paid already.
                        spent.append(error)

            try:
                async with (
                    self.services.engine.connect() as connection,
                    asyncio.TaskGroup() as tasks,
                ):
                    claims = SessionClaims(connection)
                    for _ in range(concurrency):
                        tasks.create_task(worker(claims))
            finally:
                # After an interruption, too, hints can be chosen by what they have brought.
                self.counts["retired"] = await self._settle_figures()
        return spent[0] if spent else None

    async def _learn(self, key: int, claims: SessionClaims) -> None:
        from ..graph.learn import graph
        from ..nodes.context import Context

        if not await claims.claim(key):
            return
        try:
            if await self._settled(key):
                return
            request: Any = {"session": key, "domain": self.domain}
            context = Context(domain=self.domain, budget=self.budget, seed=self.seed)
            result: dict[str, Any] = await graph.ainvoke(  # pyright: ignore[reportUnknownMemberType]  # LangGraph leaves it open
                request, context=context
            )
        finally:
            await claims.release(key)
        if result.get("error"):
            raise Re2llmError(**result["error"])
        self.counts["sessions"] += 1
        self.counts["missed"] += bool(result["missed"])
        for proposal in result.get("proposals", []):
            self.counts["proposed"] += 1
            self.counts[proposal["outcome"]] += 1

    def _described(self, stored: int) -> str:
        return (
            f"learning: {self.counts['missed']} misses, {stored} hints, {self.budget.calls} calls"
        )

    async def _settled(self, key: int) -> bool:
        from ..knowledge.domains import find_domain
        from ..knowledge.reflections import settled_sessions
        from ..llm.ranking_prompt import RANKING_PROMPT_VERSION
        from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION

        async with self.services.engine.connect() as connection:
            found = await find_domain(connection, self.domain)
            model = self.services.settings.model
            versions = (RANKING_PROMPT_VERSION, REFLECTION_PROMPT_VERSION)
            return bool(await settled_sessions(connection, found.id, model, *versions, among=key))

    async def _settle_figures(self) -> int:
        """Sum the trials up beside the hints; return how many were retired for measured harm."""
        from ..knowledge.domains import find_domain
        from ..knowledge.hint_figures import retire_harmful
        from ..nodes.figures import update_figures

        settings = self.services.settings
        async with self.services.engine.begin() as connection:
            found = await find_domain(connection, self.domain)
            await update_figures(connection, found.id, settings.model, settings)
            return len(await retire_harmful(connection, found.id))


async def count_hints(services: Services, domain: str) -> int:
    """Return how many hints are active or pending.

    Args:
        services: The database.
        domain: The catalogue.
    """
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import count_kept

    async with services.engine.connect() as connection:
        return await count_kept(connection, (await find_domain(connection, domain)).id)
