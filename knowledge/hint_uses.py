"""How often hints were given, alone or in a set, by the log of answered requests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .log_tables import RecommendationRow


def uses_by_hint() -> Select[int, int]:
    """Return a statement that counts answers by hint, as `hint_id` and `uses`.

    An answer with several hints counts for each of them.
    """
    alone = func.array_fill(RecommendationRow.hint_id, [1])
    given = func.unnest(func.coalesce(RecommendationRow.hint_ids, alone)).label("hint_id")
    return (
        select(given, func.count().label("uses"))
        .where(RecommendationRow.hint_id.is_not(None))
        .group_by(given)
    )


async def count_hinted(connection: AsyncConnection, *where: ColumnElement[bool]) -> int:
    """Return how many answers had a hint, or several.

    Args:
        where: Which answers count.
    """
    hinted = select(func.count()).where(RecommendationRow.hint_id.is_not(None), *where)
    return await connection.scalar(hinted) or 0


async def count_uses(connection: AsyncConnection, hints: Sequence[int]) -> dict[int, int]:
    """Return how many answers were made with each of some hints; those without any are absent."""
    gave = or_(RecommendationRow.hint_id.in_(hints), RecommendationRow.hint_ids.overlap(hints))
    rows = await connection.execute(uses_by_hint().where(gave))
    return {hint: uses for hint, uses in rows if hint in hints}
