"""Deletes what is stored about people: by age, and by the API key that it came with."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from ..errors import InputError
from .domain_locks import hold_domain, hold_row
from .hint_store.uses import forget_uses
from .idempotent_answers import IdempotentAnswerRow
from .jobs.cancelled import cancel_with_sessions
from .schema.jobs import JobRow
from .schema.keys import ApiKeyRow
from .schema.log import FeedbackRow, LlmCallRow, RecommendationRow
from .schema.rollouts import ExposureRow
from .schema.tables import DomainRow, SessionRow
from .schema.uploads import UploadRow
from .sessions.sources import FILE, LOCAL

_LEARNING = ("feedback", "improve", "learn", "tidy", "train", "verify")
"""Commands that ask about training sessions."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to delete.

    Attributes:
        before: Only what was stored before then; `None` for any time.
        sources: Only what came from these sources; `None` for all.
    """

    before: dt.datetime | None
    sources: Sequence[str] | None

    def covers(self, row: Any) -> ColumnElement[bool]:
        """Return the condition for a table with `created_at` and `source`."""
        return self._old(row) & (true() if self.sources is None else row.source.in_(self.sources))

    def covers_call(self) -> ColumnElement[bool]:
        """Return the condition for the ledger, in which a key's id is empty without a key."""
        return self._old(LlmCallRow) & self._asked_with(LlmCallRow.api_key_id)

    def covers_learning(self) -> ColumnElement[bool]:
        """Return the condition for calls that are nobody's, and may tell of anyone's sessions."""
        learning = LlmCallRow.api_key_id.is_(None) & LlmCallRow.command.in_(_LEARNING)
        return self._old(LlmCallRow) & learning

    def covers_job(self) -> ColumnElement[bool]:
        """Return the condition for jobs, which a key has started, or none."""
        return self._old(JobRow) & self._asked_with(JobRow.key_id)

    def _asked_with(self, key: InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
        if self.sources is None:
            return true()
        asked = key.in_(self.sources)
        return or_(asked, key.is_(None)) if LOCAL in self.sources else asked

    def _old(self, row: Any) -> ColumnElement[bool]:
        return true() if self.before is None else row.created_at < self.before


async def sources_of(connection: AsyncConnection, owner: str) -> list[str]:
    """Return the sources that belong to an owner, to one key, or to `local`.

    Raises:
        InputError: There is no such owner or key.
    """
    if owner == LOCAL:
        return [LOCAL]
    named = (ApiKeyRow.owner == owner) | (ApiKeyRow.id == owner)
    found = list(await connection.scalars(select(ApiKeyRow.id).where(named)))
    if not found:
        raise InputError(
            "owner",
            f"There is no key or owner {owner!r}.",
            "`re2llm keys list` shows all; `local` is what came without a key.",
        )
    return found


async def observed_sessions(connection: AsyncConnection, scope: Scope) -> dict[str, list[int]]:
    """Return the keys of the observed sessions in a scope, by domain; loaded files never are."""
    rows = await connection.execute(
        select(DomainRow.name, SessionRow.id)
        .join(DomainRow, DomainRow.id == SessionRow.domain_id)
        .where(SessionRow.source != FILE, scope.covers(SessionRow))
        .order_by(DomainRow.name, SessionRow.id)
    )
    found: defaultdict[str, list[int]] = defaultdict(list)
    for name, key in rows:
        found[name].append(key)
    return dict(found)


async def hold_domains(
    connection: AsyncConnection, scope: Scope, sessions: Collection[str]
) -> None:
    """Hold all domains that a purge changes, in the order in which any other purge takes them.

    Loads and deletions of the same domains are waited for, and wait.

    Args:
        connection: A connection in a transaction that has changed nothing yet.
        sessions: The names of the domains whose observed sessions go.
    """
    answered = select(RecommendationRow.domain_id).where(scope.covers(RecommendationRow))
    found = await connection.execute(
        select(DomainRow.id, DomainRow.name)
        .where(or_(DomainRow.id.in_(answered), DomainRow.name.in_(sessions)))
        .order_by(DomainRow.id)
    )
    domains = found.all()
    for domain in domains:
        await hold_domain(connection, domain.name)
    for domain in domains:
        await hold_row(connection, domain.id)


async def delete_log(connection: AsyncConnection, scope: Scope) -> dict[str, int]:
    """Delete recommendations and feedback, and forget models' answers; the ledger keeps its sums.

    Feedback is deleted with its recommendation. So are answers that are kept for idempotency keys,
    files that wait to be loaded, and the sessions of jobs that do not run. A rollout loses its
    exposures, or counts them as without feedback if only the feedback is deleted. The models'
    answers to learning are always deleted and not counted: they are only kept so as not to be paid
    twice.

    Args:
        connection: A connection in a transaction that holds the domains by `hold_domains`.

    Returns:
        How many `recommendations`, `feedback` and `answers`.
    """
    made = select(RecommendationRow.id).where(scope.covers(RecommendationRow))
    given = or_(scope.covers(FeedbackRow), FeedbackRow.recommendation_id.in_(made))
    await connection.execute(
        update(ExposureRow)
        .where(
            ExposureRow.recommendation_id.in_(select(FeedbackRow.recommendation_id).where(given))
        )
        .values(reward=None, picked=False, late=False)
    )
    feedback = await connection.execute(delete(FeedbackRow).where(given))
    await forget_uses(connection, scope.covers(RecommendationRow))
    recommendations = await connection.execute(
        delete(RecommendationRow).where(scope.covers(RecommendationRow))
    )
    for table in (IdempotentAnswerRow, UploadRow):
        await connection.execute(delete(table).where(scope.covers(table)))
    await cancel_with_sessions(connection, scope.covers_job())
    kept = update(LlmCallRow).where(LlmCallRow.answer.is_not(None)).values(answer=None)
    answers = await connection.execute(kept.where(scope.covers_call()))
    await connection.execute(kept.where(scope.covers_learning()))
    return {
        "recommendations": recommendations.rowcount,
        "feedback": feedback.rowcount,
        "answers": answers.rowcount,
    }
