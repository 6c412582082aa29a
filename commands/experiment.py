"""Runs policies through the production graph, and baselines beside them, with progress bars."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .console import progress
from .recommend import ask, hint_choice

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..evaluation.experiment import Row
    from ..nodes.context import Context
    from ..nodes.services import Services
    from ..records import Session


@dataclass(frozen=True, slots=True)
class Experiment:
    """Sessions on which systems are compared; nothing of them is stored.

    Attributes:
        services: Database, models and caches.
        domain: The catalogue.
        sessions: With targets and candidates.
        seed: Of every random choice.
    """

    services: Services
    domain: str
    sessions: list[Session]
    seed: int

    async def policies(self, names: list[str]) -> list[Row]:
        """Rank every session under each hint policy.

        Args:
            names: Of hint policies.
        """
        from ..nodes.context import Context

        return await self._run(
            {
                name: Context(policy=hint_choice(name), seed=self.seed, record=False)
                for name in names
            }
        )

    async def every_hint(
        self, without: Row | None
    ) -> tuple[Row, list[dict[str, Any]], dict[int, Row]]:
        """Give every active hint to every session.

        Args:
            without: The row without a hint, if it was run already.

        Returns:
            The row of the best choice for each session, what each hint would bring, and the row
            of each hint by its number; 0 stands for none.
        """
        from ..evaluation.oracle import hint_table, oracle_row
        from ..knowledge.domains import find_domain
        from ..knowledge.hints import list_hints
        from ..nodes.context import Context

        async with self.services.engine.connect() as connection:
            found = await find_domain(connection, self.domain)
            hints = await list_hints(connection, found.id, status="active")
        if without is None:
            (without,) = await self.policies(["none"])
        contexts = {
            f"hint {hint.id}": Context(hint_id=hint.id, seed=self.seed, record=False)
            for hint in hints
        }
        rows = dict(zip((hint.id for hint in hints), await self._run(contexts), strict=True))
        texts = {hint.id: hint.text for hint in hints}
        table = hint_table(without, rows, texts, seed=self.seed)
        return oracle_row([without, *rows.values()]), table, {0: without, **rows}

    async def baselines(self, names: list[str], train: list[Session]) -> list[Row]:
        """Train baselines and rank every session with each.

        Args:
            names: In the registry of baselines.
            train: What they may learn from.
        """
        from ..evaluation.experiment import run_baseline

        with progress(counts=True) as bar:
            return [
                await asyncio.to_thread(
                    run_baseline,
                    self.sessions,
                    name,
                    train,
                    seed=self.seed,
                    on_progress=self._advance(bar, name),
                )
                for name in names
            ]

    async def _run(self, contexts: dict[str, Context]) -> list[Row]:
        from ..evaluation.experiment import Ranked, run_policies

        async def rank(session: Session, name: str) -> Ranked:
            request = {
                "domain": self.domain,
                "history": list(session.history),
                "candidates": list(session.candidates or ()),
            }
            result = await ask(request, contexts[name])
            hint = result["hint"]["id"]
            return Ranked(result["ranking"], result["llm_calls"], result["flags"], hint)

        with progress(counts=True) as bar:
            return await run_policies(
                self.sessions,
                list(contexts),
                rank,
                concurrency=self.services.settings.concurrency,
                on_progress=lambda name: self._advance(bar, name),
            )

    def _advance(self, bar: Progress, name: str) -> Callable[[], None]:
        task = bar.add_task(name, total=len(self.sessions))
        return lambda: bar.advance(task)
