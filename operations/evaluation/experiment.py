"""Ranks the same sessions by hint policies, through the production graph, and by baselines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...errors import Failure, ModelDownError, failure_among
from ...evaluation.baselines import FROM_EVIDENCE
from ...evaluation.experiment import Ranked, Row, policy_row, run_baseline
from ...evaluation.permutations import fused_row, order_spread
from ...evaluation.session_groups import session_groups
from ...evaluation.summary import hint_table, oracle_row
from ...knowledge.hint_store.hints import UNSTORED, Hint, list_hints
from ...ranking.choosers import hint_choice
from ...ranking.listing import prompt_order
from ...records import Flag, Session, counted
from ...runtime.batch_calls import ask_ahead
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.outages import OutageGuard, side_by_side
from ...runtime.past_session import PastSession
from ...runtime.progress import Progress, silent
from ...runtime.questions import Questions
from ..database import in_domain
from ..graphs import recommend_graph, run_graph

PermutedRow = tuple[dict[str, Any], Row]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Sessions on which systems are compared; nothing of them is stored.

    Attributes:
        context: The run's options.
        sessions: Sessions with targets and candidates.
        progress: Called after each ranking, with a stage for each baseline, and one for all
            systems that rank each session together.
    """

    context: Context
    sessions: Sequence[Session]
    progress: Progress = silent

    async def ask_ahead(
        self, policies: Sequence[str], *, permutations: int = 1, oracle: bool = False
    ) -> None:
        """Ask in provider batches what the other methods will ask, and wait for the answers."""
        contexts = await self._contexts(policies, permutations, oracle=oracle)

        async def collect(session: Session, questions: Questions) -> None:
            for context in contexts:
                collecting = replace(context, questions=questions)
                await run_graph(recommend_graph(), self._request(session), collecting)

        pieces = [partial(collect, session) for session in self.sessions]
        await ask_ahead(pieces, await resolve_context(self.context), self.progress)

    async def ask_now(
        self, policies: Sequence[str], *, permutations: int = 1, oracle: bool = False
    ) -> None:
        """Ask what the other methods will ask, one question after the other.

        Raises:
            BudgetSpentError: The budget is spent; paid answers are kept.
            ModelDownError: The model has been down for long; paid answers are kept.
        """
        options = await resolve_context(self.context)
        outages = OutageGuard(options, 1, reflects=False)
        for session in self.sessions:
            for context in await self._contexts(policies, permutations, oracle=oracle):
                await self._rank(session, context, outages)

    async def _contexts(
        self, policies: Sequence[str], permutations: int, *, oracle: bool
    ) -> list[Context]:
        """Return every context under which a session is ranked, the one without a hint first."""
        contexts = [self._under(policy=hint_choice(name)) for name in policies]
        contexts.sort(key=lambda context: context.policy != "none")
        contexts += [
            replace(context, order=order)
            for context in contexts
            for order in range(1, permutations)
        ]
        if oracle:
            contexts += [
                self._under(policy="none"),
                *(given for _, given in await self._with_each_hint()),
            ]
        return contexts

    async def policies(self, names: Sequence[str]) -> list[Row]:
        """Rank every session under each hint policy."""
        contexts = {name: self._under(policy=hint_choice(name)) for name in names}
        return await self._run(", ".join(names), contexts)

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
            rows = [first, *await self._run(f"{first.name} in other orders", contexts)]
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
        given = await self._with_each_hint()
        contexts = {"none": self._under(policy="none")} if without is None else {}
        contexts |= {f"hint {hint.id}": context for hint, context in given}
        ranked = await self._run("every hint", contexts)
        if without is None:
            without, *ranked = ranked
        rows = dict(zip((hint.id for hint, _ in given), ranked, strict=True))
        texts = {hint.id: hint.text for hint, _ in given}
        groups = session_groups(self.sessions)
        table = hint_table(without, rows, texts, groups=groups, seed=options.seed)
        return oracle_row([without, *rows.values()]), table, {0: without, **rows}

    async def baselines(self, names: Sequence[str], train: Sequence[Session]) -> list[Row]:
        """Train baselines on training sessions, and rank every session with each."""
        seed = (await resolve_context(self.context)).seed
        loop = asyncio.get_running_loop()
        rows: list[Row] = []
        for name in names:
            if name in FROM_EVIDENCE:
                context = self._under(policy="none", fuse=FROM_EVIDENCE[name])
                rows += [
                    replace(row, kind="baseline") for row in await self._run(name, {name: context})
                ]
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
        return replace(self.context, record=False, past_session=PastSession(), **options)

    async def _with_each_hint(self) -> list[tuple[Hint, Context]]:
        """Return a context for each active hint."""
        async with in_domain(await resolve_context(self.context)) as (connection, domain):
            hints = await list_hints(connection, domain.id, status="active")
        return [(hint, self._under(hint_id=hint.id)) for hint in hints]

    def _request(self, session: Session) -> dict[str, Any]:
        return {
            "domain": self.context.domain,
            "history": list(session.history),
            "candidates": list(session.candidates or ()),
        }

    async def _run(self, stage: str, contexts: Mapping[str, Context]) -> list[Row]:
        """Rank every session under each context; the names are those of the rows.

        The rankings of one session are asked for together, the one without a hint first, so that
        the provider still has the start of their prompts in its cache.
        """
        if not contexts:
            return []
        options = await resolve_context(self.context)
        at_once = options.settings.concurrency
        outages = OutageGuard(options, at_once, reflects=False)
        slots = asyncio.Semaphore(at_once)
        answers: dict[tuple[str, int], Ranked] = {}
        every = len(contexts) * len(self.sessions)
        first, *others = sorted(contexts, key=lambda name: contexts[name].policy != "none")

        async def rank(place: int, name: str) -> None:
            async with slots:
                ranked = await self._rank(self.sessions[place], contexts[name], outages)
            answers[name, place] = ranked
            self.progress(stage, len(answers), every)

        async def rank_all(place: int) -> None:
            await rank(place, first)
            stopped = await side_by_side(others, partial(rank, place), at_once=at_once)
            if stopped is not None:
                raise stopped

        self.progress(stage, 0, every)
        places = range(len(self.sessions))
        stopped = await side_by_side(places, rank_all, at_once=at_once)
        if stopped is not None:
            left = every - len(answers)
            raise stopped.adding(
                f"{counted(left, 'ranking is', 'rankings are')} left; paid answers are kept."
            )
        return [
            policy_row(name, self.sessions, [answers[name, place] for place in places])
            for name in contexts
        ]

    async def _rank(self, session: Session, context: Context, outages: OutageGuard) -> Ranked:
        """Rank a session. A failed call counts, as in production; an outage is waited out.

        Rankings made without a call, while the circuit is open, would distort the metrics.
        """
        result: dict[str, Any] = {}

        async def once() -> None:
            result.update(await run_graph(recommend_graph(), self._request(session), context))
            failure = failure_among(result["flags"])
            if Flag.MODEL_FAILED in result["flags"] and failure != Failure.REFUSED:
                raise ModelDownError(result["model"], failure, result["model_error"])

        while not result or Failure.CIRCUIT_OPEN in result["flags"]:
            await outages.survive(once)
        return Ranked(
            result["ranking"],
            result["llm_calls"],
            result["flags"],
            hint=result["hint"]["id"],
            hints=[hint["id"] or UNSTORED for hint in result["hints"]],
            faults=result["faults"],
        )
