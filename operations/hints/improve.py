"""Makes better hints of known ones: joins two that help in different sessions, fixes one."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ...errors import BudgetSpentError, HintsFullError, InputError, ModelDownError
from ...knowledge.hint_store.attempts import (
    failed_attempts,
    parents_of_children,
    store_failed_attempt,
)
from ...knowledge.hint_store.decisions import kept_hints, own_sessions
from ...ranking.hints.gain_table import GainTable
from ...ranking.hints.improving import NEEDED, next_attempt
from ...ranking.hints.panels import random_panel, sessions_to_tidy_by
from ...records import counted
from ...runtime.context import Context
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..database import in_domain
from .improve_results import ImprovedHints, TriedChild
from .refresh_stats import refreshing_stats
from .try_child import try_child
from .write_child import write_child

_PATIENCE = 3
"""Failed attempts after which a hint is no longer a parent in this run, and comes last in
others."""


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
    a parent itself. A failed attempt is not repeated with the same models and prompt until there
    are many more sessions. Paid trials are kept, so an interrupted run can be repeated.

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
    async with refreshing_stats(options):
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
        self._about = {
            "model": options.model,
            "prompt_version": options.prompt_version,
            "author": options.reflect_model,
        }

    @property
    def stored(self) -> int:
        """How many children were stored."""
        return sum(child.outcome == "better" for child in self.tried)

    async def improve(self) -> bool:
        """Make the most promising attempt that was not made before; `False` if there is none."""
        options = self._options
        async with in_domain(options) as (connection, domain):
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
            failed = await failed_attempts(connection, domain.id, len(sessions), self._about)
            made = await parents_of_children(connection, domain.id)
        gains = np.stack(
            [table.of(hint, own.get(hint.hint.id, set())) for hint in hints]
            or [np.zeros(len(sessions))]
        )[: len(hints)]
        places = {hint.hint.id: row for row, hint in enumerate(hints)}
        before = {
            frozenset(places[number] for number in group)
            for group in {*self._before, *failed, *made}
            if group <= places.keys()
        }

        def tired(failures: Counter[int]) -> set[int]:
            return {row for number, row in places.items() if failures[number] >= _PATIENCE}

        ever = self._failed | Counter(number for group in failed for number in group)
        attempt = next_attempt(gains, before, tired(ever)) or next_attempt(
            gains, before, tired(self._failed)
        )
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
        outcomes: set[str] = set()
        for text in await write_child(parents, shown, options):
            child = await try_child(text, attempt.way, parents, behind, options)
            self.tried.append(child)
            outcomes.add(child.outcome)
            if child.outcome == "better":
                return True
        numbers = [parent.hint.id for parent in parents]
        self._failed.update(numbers)
        judged = outcomes - {"nothing"}  # an author that writes no hint may have been cut off
        if judged and "surplus" not in judged:  # else it is better, once there is room
            async with in_domain(options, write=True) as (connection, domain):
                await store_failed_attempt(
                    connection, domain.id, numbers, len(sessions), self._about
                )
        return True
