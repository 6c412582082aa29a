"""Tries and judges the hints of a domain, round after round."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ...arrays import Floats
from ...errors import BudgetSpentError, ModelDownError
from ...knowledge.domain_locks import hold_hints
from ...knowledge.hint_store.approvals import standing_by_approval
from ...knowledge.hint_store.decisions import (
    KeptHint,
    StatusChange,
    apply_change,
    count_tested,
    hint_uses,
    kept_hints,
    own_sessions,
)
from ...knowledge.jobs.jobs import hold_running
from ...knowledge.releases import hints_in_reach
from ...ranking.hints.gain_table import GainTable
from ...ranking.hints.panels import sessions_to_tidy_by
from ...ranking.hints.proof import looks
from ...ranking.hints.tidy_store import Store
from ...ranking.hints.tidying import Judge
from ...ranking.hints.verification import verification
from ...records import counted
from ...runtime.budget import Budget
from ...runtime.options import RunOptions
from ...runtime.outages import OutageGuard
from ...runtime.progress import Progress
from ..budgeted import spent_so_far
from ..database import in_domain
from .results import MeasuredGain
from .tidy_results import StandingHint, TidiedHint

_ENOUGH_ANSWERS = 1_000
"""A hint that was never chosen may still be useful if fewer answers could have had one."""


class Tidier:
    """Tries and judges the hints of a domain, round after round.

    Args:
        options: The run's options.
        sessions: The sessions on which hints are tried, the newest first.
        newest: How many of them are the newest.

    Attributes:
        table: What is known of the hints' gains.
        changed: What was decided until now, or would be.
    """

    def __init__(
        self,
        options: RunOptions,
        sessions: Sequence[int],
        newest: int,
        *,
        dry_run: bool,
        give_up: bool,
        progress: Progress,
    ) -> None:
        self.table = GainTable(options.domain, sessions, options)
        self.changed: list[TidiedHint] = []
        self._options = options
        self._sessions = sessions
        self._newest = newest
        self._dry_run = dry_run
        self._give_up = give_up
        self._progress = progress
        self._own: dict[int, set[int]] = {}
        self._hints: list[KeptHint] = []
        self._judge: Judge | None = None

    @classmethod
    async def of(
        cls, options: RunOptions, *, dry_run: bool, give_up: bool, progress: Progress
    ) -> Tidier:
        """Return a tidier that knows what was paid for before."""
        async with in_domain(options) as (connection, domain):
            known = await sessions_to_tidy_by(connection, domain.id, options.settings)
            how = {"dry_run": dry_run, "give_up": give_up}
            found = cls(options, *known, progress=progress, **how)
            await found.table.read(connection, domain.id)
        return found

    async def settle(self, *, final: bool) -> None:
        """Decide by what is known, and store the decisions.

        Args:
            final: Whether no more trials are to come.
        """
        options = self._options
        async with in_domain(options) as (connection, domain):
            store = await self._read(connection, domain.id)
        # Neither holds a connection nor the event loop: with many hints, it takes a while.
        store, judge = await asyncio.to_thread(self._judged, store, final=final)
        self._judge = judge
        texts = {hint.hint.id: hint.hint.text for hint in store.hints}
        shown = {(hint.id, hint.status) for hint in self.changed}
        changes = [one for one in judge.changes if (one.hint_id, one.after) not in shown]
        if changes and not self._dry_run:
            async with in_domain(options, write=True) as (connection, domain):
                await hold_running(connection, options.job)
                await hold_hints(connection, domain.id)
                changes = [
                    change
                    for change in changes
                    if await apply_change(connection, domain.id, change, options.prompted_model)
                ]
        self.changed += [_shown(change, texts[change.hint_id]) for change in changes]
        gone = {change.hint_id for change in judge.changes if change.after == "retired"}
        self._hints = [hint for hint in store.hints if hint.hint.id not in gone]

    async def try_all(self) -> BudgetSpentError | ModelDownError | None:
        """Try hints on more and more sessions, and decide after each round.

        Returns:
            Why it stopped early, or `None`.
        """
        for look in looks(len(self._sessions)):
            stopped = await self._try(look)
            await self.settle(final=stopped is None and look == len(self._sessions))
            if stopped is not None:
                return stopped
        return None

    def kept(self) -> list[StandingHint]:
        """Return the hints that stay."""
        standing = {} if self._judge is None else self._judge.standing
        after = {hint.id: hint.status for hint in self.changed}
        return [
            StandingHint(
                id=number,
                text=hint.hint.text,
                status=after.get(number, hint.hint.status),
                standing=standing[number],
                gain=MeasuredGain.of(verification(self._gains(hint).tolist())),
            )
            for hint in self._hints
            if (number := hint.hint.id) in standing
        ]

    async def _try(self, look: int) -> BudgetSpentError | ModelDownError | None:
        todo = [] if self._judge is None else self._judge.wanted(look)
        budget, done = self._options.budget or Budget(), 0

        def report() -> None:
            paid = f"{counted(self.table.paid, 'trial')}, {spent_so_far(budget)}"
            note = f"on {counted(look, 'session')}; {paid}"
            self._progress("tidying", done, len(todo), note)

        async def work(hint: KeptHint) -> None:
            nonlocal done
            await self.table.pay(hint, self._own.get(hint.hint.id, set()), look, report)
            done += 1
            report()

        report()
        guard = OutageGuard(self._options, self._options.settings.concurrency, reflects=False)
        return await guard.work_through(todo, work) or guard.last

    async def _read(self, connection: AsyncConnection, domain_id: int) -> Store:
        """Return what the database knows of the hints, without their gains."""
        settings = self._options.settings
        gone = {hint.id for hint in self.changed if hint.status == "retired"}
        every = await kept_hints(connection, domain_id)
        hints = [hint for hint in every if hint.hint.id not in gone]
        self._own = await own_sessions(connection, domain_id)
        prompted_model = self._options.prompted_model
        return Store(
            hints=hints,
            gains=np.zeros((0, len(self._sessions))),
            planned=[],
            newest=self._newest,
            tested=await count_tested(connection, domain_id),
            most=settings.hints_max,
            unused=await self._unused(connection, domain_id, hints),
            approved=await standing_by_approval(connection, domain_id, prompted_model),
            waits=settings.approve_hints,
            gives_up=self._give_up,
        )

    def _judged(self, store: Store, *, final: bool) -> tuple[Store, Judge]:
        """Add the gains to a store, and decide on its hints."""
        own = [self._own.get(hint.hint.id, set()) for hint in store.hints]
        rows = [self.table.of(hint, its) for hint, its in zip(store.hints, own, strict=True)]
        sessions = set(self._sessions)
        planned = [len(sessions) - len(its & sessions) for its in own]
        gains = np.stack(rows) if rows else store.gains
        store = replace(store, gains=gains, planned=planned, loss=self.table.typical_loss())
        return store, Judge(store, final=final)

    async def _unused(
        self, connection: AsyncConnection, domain_id: int, hints: Sequence[KeptHint]
    ) -> dict[int, int]:
        """Return the active hints that no answer had, and how many answers could have had them."""
        days = self._options.settings.hints_unused_days
        if not days:
            return {}
        since = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
        uses, answers = await hint_uses(connection, domain_id, since)
        if sum(answers.values()) < _ENOUGH_ANSWERS:
            return {}
        reach = await hints_in_reach(connection, domain_id)
        idle = [
            hint.hint.id
            for hint in hints
            if hint.hint.status == "active" and hint.since < since and hint.hint.id not in uses
        ]
        missed = {
            hint: sum(
                count
                for policy, count in answers.items()
                if policy not in reach or reach[policy](hint)
            )
            for hint in idle
        }
        return {hint: count for hint, count in missed.items() if count >= _ENOUGH_ANSWERS}

    def _gains(self, hint: KeptHint) -> Floats:
        gains = self.table.of(hint, self._own.get(hint.hint.id, set()))
        return gains[~np.isnan(gains)]


def _shown(change: StatusChange, text: str) -> TidiedHint:
    return TidiedHint.model_validate(
        {
            "id": change.hint_id,
            "text": text,
            "verdict": change.verdict,
            "before": change.before,
            "status": change.after,
            "reason": change.reason,
            "figures": dict(change.figures),
        }
    )
