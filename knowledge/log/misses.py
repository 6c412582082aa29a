"""Picked items that a ranking missed, and which of them a learner has seen."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..bounded_rows import bounded_rows
from ..membership import is_among
from ..schema.autopilot import AutopilotRow
from ..schema.keys import ApiKeyRow
from ..schema.log import FeedbackRow, RecommendationRow
from ..schema.tables import DomainRow
from ..sessions.sources import LOCAL

MOST_PICKS = 5_000
"""Most picks to learn from at a time; more wait for the next time."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A picked item that the ranking did not hold among its first `hit_ranks`.

    Attributes:
        recommendation_id: The id of the ranking.
        domain: Name of its domain.
        history: Item ids, oldest first.
        candidates: Item ids.
        picked: Id of the picked item.
        source: The source of the feedback.
    """

    recommendation_id: uuid.UUID
    domain: str
    history: Sequence[str]
    candidates: Sequence[str]
    picked: str
    source: str


def picks_to_learn(model: str) -> Select[uuid.UUID, str, list[str], list[str], str | None, str]:
    """Select what people picked from a model's answers that no learner has seen, as of `Miss`."""
    return (
        select(
            FeedbackRow.recommendation_id,
            DomainRow.name,
            RecommendationRow.history,
            RecommendationRow.candidates,
            FeedbackRow.picked,
            FeedbackRow.source,
        )
        .join(RecommendationRow, RecommendationRow.id == FeedbackRow.recommendation_id)
        .join(DomainRow, DomainRow.id == RecommendationRow.domain_id)
        .where(FeedbackRow.learnt_at.is_(None), RecommendationRow.model == model)
    )


async def misses_to_learn(
    connection: AsyncConnection, model: str, *, everyones: bool = True
) -> list[Miss]:
    """Return the oldest misses of a model that were not learned from yet.

    Args:
        everyones: Also those that came with a key that may not learn.
    """
    statement = (
        picks_to_learn(model)
        .where(
            FeedbackRow.missed,
            # Else they wait for the domain's autopilot, which has a budget.
            ~exists().where(
                AutopilotRow.domain_id == DomainRow.id, AutopilotRow.state.in_(("on", "held"))
            ),
        )
        .order_by(FeedbackRow.created_at, FeedbackRow.recommendation_id)
    )
    if not everyones:
        learns = exists().where(
            ApiKeyRow.id == FeedbackRow.source,
            ApiKeyRow.revoked_at.is_(None),
            ApiKeyRow.may.contains(["learn"]),
        )
        statement = statement.where(or_(FeedbackRow.source == LOCAL, learns))
    return [Miss(*row) for row in await bounded_rows(connection, statement, MOST_PICKS)]


async def mark_learnt(connection: AsyncConnection, recommendations: Sequence[uuid.UUID]) -> None:
    """Note that a learner has seen what people did with recommendations.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(
        update(FeedbackRow)
        .where(is_among(FeedbackRow.recommendation_id, recommendations))
        .values(learnt_at=func.now())
    )
