"""Makes better hints of known ones: joins two that help in different sessions, fixes one."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import BudgetSpentError, HintsFullError, InputError, ModelDownError
from ...knowledge.catalogue import fetch_items
from ...knowledge.domains import hold_hints
from ...knowledge.hint_decisions import KeptHint, kept_hints, own_sessions
from ...knowledge.hints import add_hint, clean_hint, count_kept, hint_key
from ...knowledge.merged import keys_by_hint
from ...knowledge.training_sessions import fetch_session
from ...llm.hint_answers import HINTS, read_hints
from ...llm.improvement_prompt import ShownSession, improvement_messages
from ...ranking.gain_table import GainTable
from ...ranking.hint_stats import update_stats
from ...ranking.improving import (
    LOOKS,
    NEEDED,
    Attempt,
    Comparison,
    compare_with_parents,
    next_attempt,
)
from ...ranking.panel_gains import panel_gains
from ...ranking.panels import Panel, random_panel, sessions_to_tidy_by
from ...ranking.repeats import embed
from ...records import Item, counted
from ...runtime.context import Context
from ...runtime.domain_cache import leak_filter_of
from ...runtime.model_call import ask
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..database import in_domain
from .budgeted import budgeted
from .improve_results import ImprovedHints, Outcome, TriedChild
from .results import MeasuredGain

_WORDINGS = 2
"""Of one child, how many are tried."""
_PATIENCE = 3
"""Failed attempts after which a hint is no parent any more, in one run."""


async def improve_hints(
    context: Context,
    *,
    attempts: int = 10,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    progress: Progress = silent,
) -> ImprovedHints:
    """Make better hints of active ones, and keep those that are measurably better.

    The most promising attempt comes first: two hints that help in different sessions are joined,
    and one that often harms is mended. The reflecting model writes the child, and sees sessions on
    which its parents helped and harmed. The child is tried on the verification panel without these
    sessions. It is stored only if it helps more than its best parent, beyond doubt; it can then be
    a parent itself. What is paid is kept: an interrupted run can be repeated.

    Args:
        context: The run's options; its budget's limits are not used.
        attempts: Children to make at most.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        progress: Called before each attempt with the stage `improving`.

    Raises:
        InputError: There is no such domain, it has too few training sessions to show that a hint
            is better, or the model has no price.
        DatabaseError: The database failed. What was paid and stored is kept.
    """
    options, budget = await budgeted(
        context, "improve", max_llm_calls=max_llm_calls, max_cost=max_cost, reflects=True
    )
    options.require_model()
    await _require_sessions(options)
    improver = _Improver(options)
    stopped: BudgetSpentError | ModelDownError | None = None
    try:
        for done in range(attempts):
            progress("improving", done, attempts, f"{improver.stored} stored")
            if not await improver.improve():
                break
    except (BudgetSpentError, ModelDownError) as error:
        stopped = error
    finally:
        async with in_domain(options, None, write=True) as (connection, domain):
            await update_stats(connection, domain.id, options)
    progress("improving", attempts, attempts, f"{improver.stored} stored")
    return ImprovedHints(
        domain=options.domain,
        model=options.model,
        tried=improver.tried,
        stored=improver.stored,
        llm_calls=budget.calls,
        cost=round(budget.cost, 6),
        stopped=None if stopped is None else stopped.as_dict(),
    )


async def _require_sessions(options: RunOptions) -> None:
    panel = await random_panel(options.domain, options)
    found = len(panel.first) + len(panel.more)
    if found < NEEDED:
        raise InputError(
            "domain",
            f"{counted(found, 'session')} can be used to try hints, too few to compare two.",
            f"{NEEDED} are needed: load more sessions, or raise RE2LLM_VERIFY_RANDOM.",
        )


class _Improver:
    """Makes one attempt after the other, and remembers them.

    Attributes:
        tried: The children so far.
    """

    def __init__(self, options: RunOptions) -> None:
        self.tried: list[TriedChild] = []
        self._options = options
        self._before: set[frozenset[int]] = set()
        self._failed: Counter[int] = Counter()

    @property
    def stored(self) -> int:
        """How many children were stored."""
        return sum(child.outcome == "better" for child in self.tried)

    async def improve(self) -> bool:
        """Make the most promising attempt that was not made before; `False` if there is none."""
        options = self._options
        async with in_domain(options, None) as (connection, domain):
            known = await kept_hints(connection, domain.id)
            if len(known) >= options.settings.hints_max:
                raise HintsFullError(
                    "RE2LLM_HINTS_MAX",
                    f"The domain has {counted(len(known), 'hint')}.",
                    "Run `re2llm hints tidy`, or raise it.",
                )
            hints = [hint for hint in known if hint.hint.status == "active"]
            sessions, _ = await sessions_to_tidy_by(connection, domain.id, options.settings)
            own = await own_sessions(connection, domain.id)
            table = GainTable(options.domain, sessions, options)
            await table.read(connection, domain.id)
        gains = np.stack(
            [table.of(hint, own.get(hint.hint.id, set())) for hint in hints]
            or [np.zeros(len(sessions))]
        )[: len(hints)]
        places = {hint.hint.id: row for row, hint in enumerate(hints)}
        before = {
            frozenset(places[number] for number in group)
            for group in self._before
            if group <= places.keys()
        }
        tired = {row for number, row in places.items() if self._failed[number] >= _PATIENCE}
        attempt = next_attempt(gains, before, tired)
        if attempt is None:
            return False
        parents = [hints[row] for row in attempt.parents]
        self._before.add(frozenset(parent.hint.id for parent in parents))
        shown = {column: gains[list(attempt.parents), column].tolist() for column in attempt.shown}
        told = {sessions[column]: its for column, its in shown.items()}
        for text in await self._written(parents, told):
            child = await self._judged(attempt, parents, text, frozenset(told))
            self.tried.append(child)
            if child.outcome == "better":
                return True
        self._failed.update(parent.hint.id for parent in parents)
        return True

    async def _written(
        self, parents: Sequence[KeptHint], told: dict[int, list[float]]
    ) -> list[str]:
        """Have a child written; one empty text if the model wrote none."""
        options = self._options
        messages = improvement_messages(
            [parent.hint.text for parent in parents],
            [await self._shown(key, gains) for key, gains in told.items()],
        )
        reply = await ask(messages, options, "reflect", answer_format=HINTS)
        if reply.failed:
            raise ModelDownError(options.reflect_model, reply.failure, reply.said)
        return read_hints(reply.text)[:_WORDINGS] or [""]

    async def _shown(self, key: int, gains: Sequence[float]) -> ShownSession:
        async with in_domain(self._options, None) as (connection, domain):
            session = await fetch_session(connection, domain.id, key)
            wanted = [*session.history, str(session.target)]
            items = await fetch_items(connection, domain, wanted)
        told = [items.get(name) or Item(name, name) for name in wanted]
        return ShownSession(told[:-1], told[-1], gains)

    async def _judged(
        self, attempt: Attempt, parents: Sequence[KeptHint], text: str, told: frozenset[int]
    ) -> TriedChild:
        numbers = [parent.hint.id for parent in parents]

        def judged(outcome: Outcome, reason: str, **more: Any) -> TriedChild:
            known = {"way": attempt.way, "parents": numbers, "text": text}
            return TriedChild(**known, outcome=outcome, reason=reason, **more)

        if not text:
            return judged("nothing", "The model wrote no hint.")
        try:
            text = clean_hint(html.unescape(text))
        except InputError as error:
            return judged("nothing", error.problem)
        refused = await self._refused(text)
        if refused is not None:
            return judged(*refused)
        found = await self._measured(text, parents, told)
        measured: dict[str, Any] = {
            "gain": MeasuredGain.of(found.gain),
            "over_best": MeasuredGain.of(found.over_best),
        }
        said = f"Over its best parent: {found.over_best}"
        if not found.is_better:
            return judged("no_better", said, **measured)
        provenance = {
            "source": "improvement",
            "way": attempt.way,
            "parents": numbers,
            "sessions": sorted(told),
        }
        stored = await self._stored(text, provenance)
        if stored is None:
            return judged("surplus", "There is no room: see `re2llm hints tidy`.", **measured)
        return judged("better", said, hint_id=stored, **measured)

    async def _refused(self, text: str) -> tuple[Outcome, str] | None:
        """Return why a text need not be tried."""
        options = self._options
        async with in_domain(options, None) as (connection, domain):
            leak = (await leak_filter_of(options.services, connection, domain)).leak(text)
            if leak is not None:
                return "leak", leak
            known = await keys_by_hint(connection, domain.id)
        if any(hint_key(text) in keys for keys in known.values()):
            return "duplicate", "The same text is stored already."
        return None

    async def _measured(
        self, text: str, parents: Sequence[KeptHint], told: frozenset[int]
    ) -> Comparison:
        """Try a child and its parents on more and more sessions, until one is clearly better."""
        panel = await random_panel(self._options.domain, self._options, leave_out=told)
        sessions = [*panel.first, *panel.more]
        first, *more = sorted({min(look, len(sessions)) for look in LOOKS})
        found = await self._beside(text, parents, sessions[:first])
        for look in more:
            if found.is_better or found.is_hopeless:
                break
            found = await self._beside(text, parents, sessions[:look])
        return found

    async def _beside(
        self, text: str, parents: Sequence[KeptHint], sessions: Sequence[int]
    ) -> Comparison:
        options, some = self._options, Panel(sessions, ())
        child, *others = [
            await panel_gains(one, options.domain, some, options, until_settled=False)
            for one in (text, *(parent.hint.text for parent in parents))
        ]
        return compare_with_parents(child, others)

    async def _stored(self, text: str, provenance: Mapping[str, Any]) -> int | None:
        """Store a child; `None` if there is no room."""
        options = self._options
        embedding = await embed(text, options)
        status = "pending" if options.settings.approve_hints else "active"
        async with in_domain(options, None, write=True) as (connection, domain):
            await hold_hints(connection, domain.id)
            if await count_kept(connection, domain.id) >= options.settings.hints_max:
                return None
            number, _ = await add_hint(
                connection, domain.id, text, embedding, provenance=provenance, status=status
            )
        return number
