"""Deletes training sessions, and finds the hints whose trials go with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from .domains import Domain
from .membership import is_among
from .prompted_model import PromptedModel
from .schema.log import FeedbackRow, RecommendationRow
from .schema.reflections import BatchedMissRow, ReflectionRow
from .schema.tables import DomainRow, HintRow, SessionRow, TrialRow


@dataclass(frozen=True, slots=True)
class TriedHint:
    """A hint that was tried on some sessions with a model.

    Attributes:
        id: The id of the hint.
        status: `active`, `pending` or `retired`.
        verified: Whether it had to be verified; a person's hint need not be.
        prompted_model: The model and prompt with which it was tried.
    """

    id: int
    status: str
    verified: bool
    prompted_model: PromptedModel


async def sessions_of(connection: AsyncConnection, domain: Domain, source: str) -> list[int]:
    """Return the keys of the sessions of one source."""
    statement = select(SessionRow.id).where(
        SessionRow.domain_id == domain.id, SessionRow.source == source
    )
    return list(await connection.scalars(statement.order_by(SessionRow.id)))


async def first_came(
    connection: AsyncConnection, domain: Domain, sessions: Sequence[int]
) -> dt.datetime | None:
    """Return when the first of some sessions was stored; `None` if that is not known of one."""
    created = SessionRow.created_at
    found = await connection.execute(
        select(func.min(created), func.count(created)).where(
            SessionRow.domain_id == domain.id, is_among(SessionRow.id, sessions)
        )
    )
    first, known = found.one()
    return first if known == len(sessions) else None


async def hints_tried_on(
    connection: AsyncConnection, domain: Domain, sessions: Sequence[int]
) -> list[TriedHint]:
    """Return the hints that were tried on any of some sessions, once for each model and prompt.

    Trials of a hint count for the one that it was merged into, too.
    """
    tried = aliased(HintRow)
    by_person = func.coalesce(HintRow.provenance["source"].astext, "") == "person"
    rows = await connection.execute(
        select(
            HintRow.id,
            HintRow.status,
            ~by_person,
            TrialRow.model,
            TrialRow.prompt_version,
        )
        .distinct()
        .join(
            tried,
            (tried.domain_id == HintRow.domain_id) & HintRow.id.in_([tried.id, tried.merged_into]),
        )
        .join(TrialRow, (TrialRow.domain_id == tried.domain_id) & (TrialRow.hint_key == tried.key))
        .where(HintRow.domain_id == domain.id, is_among(TrialRow.session_id, sessions))
        .order_by(HintRow.id, TrialRow.model, TrialRow.prompt_version)
    )
    return [TriedHint(*row[:3], PromptedModel(*row[3:])) for row in rows]


async def delete_sessions(
    connection: AsyncConnection, domain: Domain, sessions: Sequence[int]
) -> None:
    """Delete training sessions with their trials, and all reflections that tell of them.

    The border of the recent ones goes with the last session before it: a later load may find one.

    Args:
        connection: A connection in a transaction.
    """
    told = select(BatchedMissRow.reflection_id).where(is_among(BatchedMissRow.session_id, sessions))
    await connection.execute(
        delete(ReflectionRow).where(
            ReflectionRow.domain_id == domain.id, ReflectionRow.id.in_(told)
        )
    )
    await connection.execute(
        delete(SessionRow).where(
            SessionRow.domain_id == domain.id, is_among(SessionRow.id, sessions)
        )
    )
    earlier = exists().where(
        SessionRow.domain_id == domain.id, SessionRow.id < DomainRow.recent_from
    )
    await connection.execute(
        update(DomainRow).where(DomainRow.id == domain.id, ~earlier).values(recent_from=None)
    )


async def clear_stats(connection: AsyncConnection, domain: Domain, hints: Sequence[int]) -> None:
    """Set hints' stats to 0, for `refresh_stats` to fill in what is left.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(
        text("""
            UPDATE re2llm.hint
            SET trials = 0, mean_gain = 0, gain_error = 0, helped = 0, harmed = 0
            WHERE domain_id = :domain AND id = ANY(:hints)
        """),
        {"domain": domain.id, "hints": list(hints)},
    )


async def settle_feedback(connection: AsyncConnection, domain: Domain, source: str) -> int:
    """Keep the waiting misses of a source from being learned from.

    Args:
        connection: A connection in a transaction.

    Returns:
        How many waited.
    """
    settled = await connection.execute(
        update(FeedbackRow)
        .where(
            FeedbackRow.source == source,
            FeedbackRow.learnt_at.is_(None),
            FeedbackRow.missed,
            RecommendationRow.id == FeedbackRow.recommendation_id,
            RecommendationRow.domain_id == domain.id,
        )
        .values(learnt_at=func.now())
    )
    return settled.rowcount
