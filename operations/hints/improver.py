"""Makes better hints of a domain's active ones, one attempt after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...errors import HintsFullError
from ...knowledge.hint_store.attempts import (
    failed_attempts,
    parents_of_children,
    store_failed_attempt,
)
from ...knowledge.hint_store.decisions import KeptHint, kept_hints, own_sessions
from ...ranking.hints.gain_table import GainTable
from ...ranking.hints.improving import Attempt, next_attempt
from ...ranking.hints.panels import sessions_to_tidy_by
from ...records import counted
from ...runtime.options import RunOptions
from ..database import in_domain
from .improve_results import TriedChild
from .try_child import try_child
from .write_child import write_child

_PATIENCE = 3
"""Failed attempts after which a hint is no longer a parent in this run, and comes last in
others."""
_NO_SESSIONS: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a domain's active hints.

    Attributes:
        hints: The hints.
        sessions: Keys of the sessions on which hints are tried.
        gains: The gain by hint and session, NaN where a hint was not tried.
        own: By hint, the sessions on which it was proposed.
        failed: Ids of the parents of each failed attempt of any run.
        made: Ids of the parents of each child that was stored.
    """

    hints: Sequence[KeptHint]
    sessions: Sequence[int]
    gains: Floats
    own: Mapping[int, AbstractSet[int]]
    failed: Sequence[frozenset[int]]
    made: Sequence[frozenset[int]]

    def own_of(self, hint: KeptHint) -> AbstractSet[int]:
        """Return the sessions on which a hint was proposed."""
        return self.own.get(hint.hint.id, _NO_SESSIONS)


class Improver:
    """Makes one attempt after the other, and remembers them.

    Args:
        options: The run's options.

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
        known = await self._read()
        attempt = self._next(known)
        if attempt is None:
            return False
        parents = [known.hints[row] for row in attempt.parents]
        numbers = [parent.hint.id for parent in parents]
        self._before.add(frozenset(numbers))
        outcomes = await self._try(attempt, parents, known)
        if "better" not in outcomes:
            await self._note_failure(numbers, outcomes, len(known.sessions))
        return True

    async def _read(self) -> _Known:
        options = self._options
        async with in_domain(options) as (connection, domain):
            kept = await kept_hints(connection, domain.id)
            if len(kept) >= options.settings.hints_max:
                raise HintsFullError(
                    "RE2LLM_HINTS_MAX",
                    f"The domain has {counted(len(kept), 'hint')}.",
                    "Run `re2llm hints tidy`, or raise it.",
                )
            hints = [hint for hint in kept if hint.hint.status == "active"]
            sessions, _ = await sessions_to_tidy_by(connection, domain.id, options.settings)
            own = await own_sessions(connection, domain.id)
            table = GainTable(options.domain, sessions, options)
            await table.read(connection, domain.id)
            failed = await failed_attempts(connection, domain.id, len(sessions), self._about)
            made = await parents_of_children(connection, domain.id)
        gains = np.zeros((len(hints), len(sessions)))
        for row, hint in enumerate(hints):
            gains[row] = table.of(hint, own.get(hint.hint.id, _NO_SESSIONS))
        return _Known(hints, sessions, gains, own, failed, made)

    def _next(self, known: _Known) -> Attempt | None:
        """Return the most promising attempt; hints whose attempts failed in other runs come last.

        Those of which nothing better was made in this run do not come again.
        """
        rows = {hint.hint.id: row for row, hint in enumerate(known.hints)}
        before = {
            frozenset(rows[number] for number in group)
            for group in {*self._before, *known.failed, *known.made}
            if group <= rows.keys()
        }

        def often_failed(failures: Counter[int]) -> set[int]:
            return {row for number, row in rows.items() if failures[number] >= _PATIENCE}

        ever = self._failed | Counter(number for group in known.failed for number in group)
        return next_attempt(known.gains, before, often_failed(ever)) or next_attempt(
            known.gains, before, often_failed(self._failed)
        )

    async def _try(self, attempt: Attempt, parents: Sequence[KeptHint], known: _Known) -> set[str]:
        """Have children written and try them until one is better; return their outcomes."""
        shown = {
            known.sessions[column]: known.gains[list(attempt.parents), column].tolist()
            for column in attempt.shown
        }
        # Where a parent looks better than it is, so does a child that repeats its advice.
        behind = frozenset(shown).union(*map(known.own_of, parents))
        outcomes: set[str] = set()
        for text in await write_child(parents, shown, self._options):
            child = await try_child(text, attempt.way, parents, behind, self._options)
            self.tried.append(child)
            outcomes.add(child.outcome)
            if child.outcome == "better":
                break
        return outcomes

    async def _note_failure(
        self, parents: Sequence[int], outcomes: AbstractSet[str], sessions: int
    ) -> None:
        """Note that no child was better, for other runs too if that was judged."""
        self._failed.update(parents)
        judged = outcomes - {"nothing"}  # an author that writes no hint may have been cut off
        if judged and "surplus" not in judged:  # else it is better, once there is room
            async with in_domain(self._options, write=True) as (connection, domain):
                await store_failed_attempt(connection, domain.id, parents, sessions, self._about)
