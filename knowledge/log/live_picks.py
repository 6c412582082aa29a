"""Counts and reads the recent feedback of a domain."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ..bounded_rows import bounded_rows
from ..schema.log import FeedbackRow, RecommendationRow
from ..schema.tables import HintRow
from .misses import MOST_PICKS, Miss, picks_to_learn


async def count_new(
    connection: AsyncConnection, domain_id: int, model: str, since: dt.datetime | None
) -> tuple[int, int]:
    """Return how many misses no learner has seen, and how many picks came since some time."""
    later = true() if since is None else FeedbackRow.created_at > since
    picked = FeedbackRow.picked.is_not(None)
    row = await connection.execute(
        select(
            func.count().filter(FeedbackRow.missed, FeedbackRow.learnt_at.is_(None)),
            func.count().filter(picked, later),
        )
        .join(RecommendationRow, RecommendationRow.id == FeedbackRow.recommendation_id)
        .where(RecommendationRow.domain_id == domain_id, RecommendationRow.model == model)
    )
    misses, picks = row.one()
    return misses, picks


async def new_picks(
    connection: AsyncConnection, domain_id: int, model: str
) -> list[tuple[Miss, bool]]:
    """Return what people picked that no learner has seen, newest first, and if it was a miss."""
    newest = (
        picks_to_learn(model)
        .add_columns(FeedbackRow.missed)
        .where(RecommendationRow.domain_id == domain_id, FeedbackRow.picked.is_not(None))
        .order_by(FeedbackRow.created_at.desc(), FeedbackRow.recommendation_id)
    )
    rows = await bounded_rows(connection, newest, MOST_PICKS)
    return [(Miss(*row[:-1]), row[-1]) for row in rows]


async def fresh_hints(
    connection: AsyncConnection, domain_id: int, since: dt.datetime | None
) -> int:
    """Count the active hints of a domain that became active after some time."""
    counted = select(func.count()).where(HintRow.domain_id == domain_id, HintRow.status == "active")
    if since is not None:
        counted = counted.where(HintRow.status_since > since)
    return await connection.scalar(counted) or 0
