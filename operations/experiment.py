"""Ranks the same sessions by hint policies, through the production graph, and by baselines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Failure, ModelDownError, failure_among
from ..evaluation.baselines import FROM_EVIDENCE
from ..evaluation.experiment import Ranked, Row, policy_row, run_baseline
from ..evaluation.permutations import fused_row, order_spread
from ..evaluation.summary import hint_table, oracle_row
from ..knowledge.hints import list_hints
from ..ranking.choosers import hint_choice
from ..ranking.listing import prompt_order
from ..records import Flag, Session
from ..runtime.options import Context, resolve_context
from ..runtime.outages import OutageGuard, side_by_side
from ..runtime.progress import Progress, silent
from .database import in_domain
from .graphs import RECOMMEND, run_graph

PermutedRow = tuple[dict[str, Any], Row]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Sessions on which systems are compared; nothing of them is stored.

    Attributes:
        context: The run's options.
        sessions: With targets and candidates.
        progress: Called after each session, with a stage for each system.
    """

    context: Context
    sessions: Sequence[Session]
    progress: Progress = silent

    async def policies(self, names: Sequence[str]) -> list[Row]:
        """Rank every session under each hint policy."""
        return await self._run({name: self._under(policy=hint_choice(name)) for name in names})

    async def permutations(self, firsts: Sequence[Row], orders: int) -> list[PermutedRow]:
        """Rank every session with its candidates in further orders.

        Args:
            firsts: Rows of hint policies, in the first order.

        Returns:
            For each policy, how much its answers depend on the order, and their fusion.
        """
        seed = (await resolve_context(self.context)).seed
        prompts = [
            [
                prompt_order(session.candidates or (), session.history, seed, order)
                for session in self.sessions
            ]
            for order in range(orders)
        ]
        found: list[PermutedRow] = []
        for first in firsts:
            policy = hint_choice(first.name)
            contexts = {
                f"{first.name} in order {order + 1}": self._under(policy=policy, order=order)
                for order in range(1, orders)
            }
            rows = [first, *await self._run(contexts)]
            spread = order_spread(rows, self.sessions, prompts)
            found.append((spread, fused_row(rows, self.sessions)))
        return found

    async def every_hint(
        self, without: Row | None
    ) -> tuple[Row, list[dict[str, Any]], dict[int, Row]]:
        """Give every active hint to every session.

        Args:
            without: The row without a hint, if there is one already.

        Returns:
            The row of the best choice for each session, what each hint would gain, and the row
            of each hint by its id; 0 stands for no hint.
        """
        options = await resolve_context(self.context)
        async with in_domain(options, None) as (connection, domain):
            hints = await list_hints(connection, domain.id, status="active")
        if without is None:
            (without,) = await self.policies(["none"])
        contexts = {f"hint {hint.id}": self._under(hint_id=hint.id) for hint in hints}
        rows = dict(zip((hint.id for hint in hints), await self._run(contexts), strict=True))
        texts = {hint.id: hint.text for hint in hints}
        table = hint_table(without, rows, texts, seed=options.seed)
        return oracle_row([without, *rows.values()]), table, {0: without, **rows}

    async def baselines(self, names: Sequence[str], train: Sequence[Session]) -> list[Row]:
        """Train baselines on training sessions, and rank every session with each."""
        seed = (await resolve_context(self.context)).seed
        loop = asyncio.get_running_loop()
        rows: list[Row] = []
        for name in names:
            if name in FROM_EVIDENCE:
                context = self._under(policy="none", fuse=FROM_EVIDENCE[name])
                rows += [replace(row, kind="baseline") for row in await self._run({name: context})]
                continue
            done = 0

            def advance(name: str = name) -> None:
                nonlocal done
                done += 1
                loop.call_soon_threadsafe(self.progress, name, done, len(self.sessions))

            self.progress(name, 0, len(self.sessions))
            row = await asyncio.to_thread(
                run_baseline, self.sessions, name, train, seed=seed, on_progress=advance
            )
            rows.append(row)
        return rows

    def _under(self, **options: Any) -> Context:
        return replace(self.context, record=False, **options)

    async def _run(self, contexts: Mapping[str, Context]) -> list[Row]:
        """Rank every session under each context; the names are those of the rows."""
        options = await resolve_context(self.context)
        concurrency = options.settings.concurrency
        outages = OutageGuard(options, concurrency, reflects=False)
        rows: list[Row] = []
        for name, context in contexts.items():
            answers: dict[int, Ranked] = {}

            async def rank(place: int) -> None:
                answers[place] = await self._rank(self.sessions[place], context, outages)  # noqa: B023
                self.progress(name, len(answers), len(self.sessions))  # noqa: B023

            self.progress(name, 0, len(self.sessions))
            places = range(len(self.sessions))
            stopped = await side_by_side(places, rank, at_once=concurrency)
            if stopped is not None:
                left = (len(contexts) - len(rows)) * len(self.sessions) - len(answers)
                raise stopped.adding(f"{left:,} rankings are left; paid answers are kept.")
            rows.append(policy_row(name, self.sessions, [answers[place] for place in places]))
        return rows

    async def _rank(self, session: Session, context: Context, outages: OutageGuard) -> Ranked:
        """Rank a session. A failed call counts, as in production; an outage is waited out.

        Rankings made without a call, while the circuit is open, would distort the metrics.
        """
        request = {
            "domain": context.domain,
            "history": list(session.history),
            "candidates": list(session.candidates or ()),
        }
        result: dict[str, Any] = {}

        async def once() -> None:
            result.update(await run_graph(RECOMMEND, request, context))
            failure = failure_among(result["flags"])
            if Flag.MODEL_FAILED in result["flags"] and failure != Failure.REFUSED:
                raise ModelDownError(result["model"], failure)

        while not result or Failure.CIRCUIT_OPEN in result["flags"]:
            await outages.survive(once)
        return Ranked(
            result["ranking"],
            result["llm_calls"],
            result["flags"],
            hint=result["hint"]["id"],
            faults=result["faults"],
        )
