"""Makes better hints of known ones: joins two that help in different sessions, fixes one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import BudgetSpentError, HintsFullError, InputError, ModelDownError
from ...knowledge.catalogue import fetch_items
from ...knowledge.hint_store.decisions import KeptHint, kept_hints, own_sessions
from ...knowledge.sessions.training_sessions import fetch_session
from ...llm.hints.answers import HINTS, read_hints
from ...llm.hints.improvement_prompt import ShownSession, improvement_messages
from ...ranking.hints.gain_table import GainTable
from ...ranking.hints.improving import NEEDED, next_attempt
from ...ranking.hints.panels import random_panel, sessions_to_tidy_by
from ...records import Item, counted
from ...runtime.context import Context
from ...runtime.model_call import ask
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..database import in_domain
from .improve_results import ImprovedHints, TriedChild
from .summed_up import summed_up
from .try_child import try_child

_WORDINGS = 2
"""Texts of one child that are tried."""
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
    and one that often harms is fixed. The reflecting model writes the child, and sees sessions on
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
    _, options, budget = await budgeted(
        context,
        "improve",
        max_llm_calls=max_llm_calls,
        max_cost=max_cost,
        reflects=True,
        learns=True,
    )
    await _require_sessions(options)
    improver = _Improver(options)
    stopped: BudgetSpentError | ModelDownError | None = None
    async with summed_up(options):
        try:
            for done in range(attempts):
                progress("improving", done, attempts, f"{improver.stored} stored")
                if not await improver.improve():
                    break
        except (BudgetSpentError, ModelDownError) as error:
            stopped = error
    progress("improving", attempts, attempts, f"{improver.stored} stored")
    return ImprovedHints(
        domain=options.domain,
        model=options.model,
        tried=improver.tried,
        stored=improver.stored,
        **spent(budget),
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
        shown = {
            sessions[column]: gains[list(attempt.parents), column].tolist()
            for column in attempt.shown
        }
        # What flatters a parent flatters the child that repeats its advice.
        behind = frozenset(shown).union(*(own.get(one.hint.id, set()) for one in parents))
        for text in await self._written(parents, shown):
            child = await try_child(text, attempt.way, parents, behind, options)
            self.tried.append(child)
            if child.outcome == "better":
                return True
        self._failed.update(parent.hint.id for parent in parents)
        return True

    async def _written(
        self, parents: Sequence[KeptHint], shown: Mapping[int, Sequence[float]]
    ) -> list[str]:
        """Have the model write a child; one empty text if it wrote none.

        Args:
            parents: The hints to make it of.
            shown: By session that the model sees, the gain of each parent.
        """
        options = self._options
        messages = improvement_messages(
            [parent.hint.text for parent in parents],
            [await self._shown(key, gains) for key, gains in shown.items()],
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
        *history, target = [items.get(name) or Item(name, name) for name in wanted]
        return ShownSession(history, target, gains)
