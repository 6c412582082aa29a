"""Deletes what is stored about people: by age, and by the API key that it came with."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from .hint_uses import forget_uses
from .idempotent_answers import IdempotentAnswerRow
from .key_tables import ApiKeyRow
from .log_tables import FeedbackRow, LlmCallRow, RecommendationRow
from .rollout_tables import ExposureRow
from .sources import FILE, LOCAL
from .tables import DomainRow, SessionRow
from .upload_tables import UploadRow


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
        if self.sources is None:
            return self._old(LlmCallRow)
        asked = LlmCallRow.api_key_id.in_(self.sources)
        if LOCAL in self.sources:
            asked = or_(asked, LlmCallRow.api_key_id.is_(None))
        return self._old(LlmCallRow) & asked

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

    Args:
        connection: In a transaction that has changed nothing yet.
        sessions: The names of the domains whose observed sessions go.
    """
    answered = select(RecommendationRow.domain_id).where(scope.covers(RecommendationRow))
    await connection.execute(
        select(DomainRow.id)
        .where(or_(DomainRow.id.in_(answered), DomainRow.name.in_(sessions)))
        .order_by(DomainRow.id)
        .with_for_update(key_share=True)
    )


async def delete_log(connection: AsyncConnection, scope: Scope) -> dict[str, int]:
    """Delete recommendations and feedback, and forget models' answers; the ledger keeps its sums.

    Feedback goes with its recommendation. So do answers that are kept for idempotency keys, and
    files that wait to be loaded. A rollout then counts what is gone as exposures without feedback.

    Args:
        connection: In a transaction that holds the domains by `hold_domains`.

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
    answers = await connection.execute(
        update(LlmCallRow)
        .where(LlmCallRow.answer.is_not(None), scope.covers_call())
        .values(answer=None)
    )
    return {
        "recommendations": recommendations.rowcount,
        "feedback": feedback.rowcount,
        "answers": answers.rowcount,
    }
