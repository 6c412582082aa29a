"""What people did lately: rewards to watch, misses to learn from, and picks to learn by."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from .feedback import Miss, picks_to_learn
from .log_tables import FeedbackRow, RecommendationRow
from .tables import HintRow, ReleaseRow

_BLOCKS = text("""
    WITH seen AS (
        SELECT f.reward, row_number() OVER (ORDER BY f.created_at, f.recommendation_id) - 1 AS place
        FROM re2llm.recommendation AS r
        JOIN re2llm.feedback AS f ON f.recommendation_id = r.id
        LEFT JOIN re2llm.exposure AS e ON e.recommendation_id = r.id
        WHERE r.domain_id = :domain AND r.created_at >= :since AND r.model = :model
            AND NOT coalesce(e.canary, false)
    )
    SELECT place / :size AS block, count(*), sum(reward), sum(reward * reward)
    FROM seen GROUP BY 1 ORDER BY 1
""")


async def reward_blocks(
    connection: AsyncConnection, domain_id: int, model: str, since: dt.datetime, size: int
) -> list[tuple[int, float, float]]:
    """Return the rewards of the release that serves, in blocks, oldest first.

    What a release earns that is being rolled out is left out.

    Args:
        model: The ranking model.
        since: Of requests from then on, or from the last activation if that was later.
        size: Rewards in a block; the last may be shorter.

    Returns:
        Of each block the count, the sum and the sum of squares.
    """
    activated = await connection.scalar(
        select(func.max(ReleaseRow.activated_at)).where(
            ReleaseRow.domain_id == domain_id, ReleaseRow.status == "active"
        )
    )
    start = since if activated is None else max(since, activated)
    values = {"domain": domain_id, "since": start, "model": model, "size": size}
    rows = await connection.execute(_BLOCKS, values)
    return [(int(count), float(total), float(squares)) for _, count, total, squares in rows]


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
    connection: AsyncConnection, domain_id: int, model: str, most: int
) -> list[tuple[Miss, bool]]:
    """Return what people picked that no learner has seen, newest first, and if it was a miss."""
    rows = await connection.execute(
        picks_to_learn(model)
        .add_columns(FeedbackRow.missed)
        .where(RecommendationRow.domain_id == domain_id, FeedbackRow.picked.is_not(None))
        .order_by(FeedbackRow.created_at.desc(), FeedbackRow.recommendation_id)
        .limit(most)
    )
    return [(Miss(*row[:-1]), row[-1]) for row in rows]


async def fresh_hints(
    connection: AsyncConnection, domain_id: int, since: dt.datetime | None
) -> int:
    """Return how many active hints a domain has, of those that became so after some time."""
    counted = select(func.count()).where(HintRow.domain_id == domain_id, HintRow.status == "active")
    if since is not None:
        counted = counted.where(HintRow.status_since > since)
    return await connection.scalar(counted) or 0
