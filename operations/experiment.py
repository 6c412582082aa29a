"""Runs policies through the production graph, and baselines beside them, with progress bars."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.progress import Progress

from ..commands.console import progress
from ..errors import BudgetSpentError, Failure, ModelDownError, Re2llmError, failure_among
from ..evaluation.experiment import Ranked, Row, run_baseline, run_policies
from ..evaluation.permutations import fused_row, order_spread
from ..evaluation.recorded import Recorded, score_answers
from ..evaluation.summary import hint_table, oracle_row
from ..knowledge.catalogue import fetch_items
from ..knowledge.domains import find_domain
from ..knowledge.hints import list_hints
from ..ranking.gather import prompt_order
from ..records import Session
from ..runtime.budget import Budget
from ..runtime.options import Context, resolve_context
from ..runtime.outages import OutageGuard
from ..runtime.services import Services
from .graphs import ask
from .recommend import hint_choice

PermutedRow = tuple[dict[str, Any], Row]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Sessions on which systems are compared; nothing of them is stored.

    Attributes:
        services: Database, models and caches.
        domain: The catalogue.
        sessions: With targets and candidates.
        seed: Of every random choice.
        budget: What may be spent on model calls; `None` for anything.
        command: What the ledger books them under.
    """

    services: Services
    domain: str
    sessions: list[Session]
    seed: int
    budget: Budget | None = None
    command: str = "evaluate"

    async def policies(self, names: list[str]) -> list[Row]:
        """Rank every session under each hint policy.

        Args:
            names: Of hint policies.
        """
        return await self._run({name: self._options(policy=hint_choice(name)) for name in names})

    async def permutations(self, firsts: list[Row], orders: int) -> list[PermutedRow]:
        """Rank every session with its candidates in further orders.

        Args:
            firsts: Of hint policies, in the first order.
            orders: How many, the first one counted.

        Returns:
            For each policy how far its answers depend on the order, and their fusion.
        """
        prompts = [
            [
                prompt_order(session.candidates or (), session.history, self.seed, order)
                for session in self.sessions
            ]
            for order in range(orders)
        ]
        found: list[PermutedRow] = []
        for first in firsts:
            policy = hint_choice(first.name)
            contexts = {
                f"{first.name} in order {order + 1}": self._options(policy=policy, order=order)
                for order in range(1, orders)
            }
            rows = [first, *await self._run(contexts)]
            spread = order_spread(rows, self.sessions, prompts)
            found.append((spread, fused_row(rows, self.sessions)))
        return found

    async def recorded(self, answers: list[Recorded]) -> tuple[list[Row], list[dict[str, Any]]]:
        """Score recorded answers.

        Args:
            answers: In the order of the sessions.

        Returns:
            A row for each parser, and the sessions in which they differ.
        """
        ids = {key for session in self.sessions for key in session.candidates or ()}
        async with self.services.engine.connect() as connection:
            found = await find_domain(connection, self.domain)
            items = await fetch_items(connection, found, list(ids))
        return score_answers(answers, self.sessions, items)

    def _options(self, **options: Any) -> Context:

        shared: dict[str, Any] = {
            "seed": self.seed,
            "record": False,
            "budget": self.budget,
            "command": self.command,
        }
        return Context(**shared, **options)

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
        async with self.services.engine.connect() as connection:
            found = await find_domain(connection, self.domain)
            hints = await list_hints(connection, found.id, status="active")
        if without is None:
            (without,) = await self.policies(["none"])
        contexts = {f"hint {hint.id}": self._options(hint_id=hint.id) for hint in hints}
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

        done = 0
        concurrency = self.services.settings.concurrency
        outages = OutageGuard(await resolve_context(self._options()), concurrency, reflects=False)

        async def rank(session: Session, name: str) -> Ranked:
            nonlocal done
            request = {
                "domain": self.domain,
                "history": list(session.history),
                "candidates": list(session.candidates or ()),
            }
            result = await self._through_outages(request, contexts[name], outages)
            done += 1
            return Ranked(
                result["ranking"],
                result["llm_calls"],
                result["flags"],
                hint=result["hint"]["id"],
                faults=result["faults"],
            )

        try:
            with progress(counts=True) as bar:
                return await run_policies(
                    self.sessions,
                    list(contexts),
                    rank,
                    concurrency=concurrency,
                    on_progress=lambda name: self._advance(bar, name),
                )
        except (BudgetSpentError, ModelDownError) as stop:
            left = len(contexts) * len(self.sessions) - done
            raise Re2llmError(
                stop.field,
                f"{stop.problem} {left:,} rankings are left; paid answers are kept.",
                stop.remedy,
            ) from None

    async def _through_outages(
        self, request: dict[str, Any], context: Context, outages: OutageGuard
    ) -> dict[str, Any]:
        """Ask; a call that fails counts as it would in production, an outage is waited out.

        Rankings that are completed because nobody asked the model would spoil the figures.
        """
        result: dict[str, Any] = {}

        async def once() -> None:
            nonlocal result
            result = await ask(request, context)
            failure = failure_among(result["flags"])
            if "model_failed" in result["flags"] and failure != Failure.REFUSED:
                raise ModelDownError(result["model"], failure)

        while not result or "circuit_open" in result["flags"]:
            await outages.survive(once)
        return result

    def _advance(self, bar: Progress, name: str) -> Callable[[], None]:
        task = bar.add_task(name, total=len(self.sessions))
        return lambda: bar.advance(task)
