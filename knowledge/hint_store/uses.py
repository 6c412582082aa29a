"""How often hints were given, alone or in a set, by the log of answered requests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    func,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ..membership import is_among
from ..schema.log import RecommendationRow
from ..schema.summaries import HintUseRow
from ..schema.tables import DomainRow, HintRow

# Answers are logged in short transactions: those of a few minutes ago are all there.
_COUNT_UP = text("""
    WITH before AS (
        SELECT id, coalesce(uses_until, '-infinity') AS since, now() - interval '5 minutes' AS until
        FROM re2llm.domain
        WHERE id = :domain AND coalesce(uses_until, '-infinity') < now() - interval '1 hour'
        FOR NO KEY UPDATE SKIP LOCKED
    ), made AS MATERIALIZED (
        SELECT r.hint_id, r.hint_ids FROM before JOIN re2llm.recommendation AS r
          ON r.domain_id = before.id AND r.created_at >= before.since
         AND r.created_at < before.until
    ), given AS (
        SELECT unnest(coalesce(hint_ids, ARRAY[hint_id])) AS hint_id
        FROM made WHERE hint_id IS NOT NULL
    ), counted AS (
        INSERT INTO re2llm.hint_use AS u (domain_id, hint_id, uses)
        SELECT h.domain_id, h.id, count(*)
        FROM given JOIN re2llm.hint AS h ON h.domain_id = :domain AND h.id = given.hint_id
        GROUP BY h.domain_id, h.id
        ON CONFLICT (domain_id, hint_id) DO UPDATE SET uses = u.uses + excluded.uses
    )
    UPDATE re2llm.domain AS d
    SET uses_until = before.until, answers = answers + (SELECT count(*) FROM made)
    FROM before WHERE d.id = before.id
""")


def uses_by_hint() -> Select[int, int, int]:
    """Return a statement that counts answers by hint, as `domain_id`, `hint_id` and `uses`.

    An answer with several hints counts for each of them.
    """
    alone = func.array_fill(RecommendationRow.hint_id, [1])
    given = func.unnest(func.coalesce(RecommendationRow.hint_ids, alone)).label("hint_id")
    return (
        select(RecommendationRow.domain_id, given, func.count().label("uses"))
        .where(RecommendationRow.hint_id.is_not(None))
        .group_by(RecommendationRow.domain_id, given)
    )


def use_of_hint() -> ColumnElement[bool]:
    """Join hints with what was counted of their uses."""
    return and_(HintUseRow.domain_id == HintRow.domain_id, HintUseRow.hint_id == HintRow.id)


async def hinted_by_policy(
    connection: AsyncConnection, *where: ColumnElement[bool]
) -> dict[str, int]:
    """Return by policy how many answers had a hint, or several.

    Args:
        where: The condition that answers must meet to count.
    """
    rows = await connection.execute(
        select(RecommendationRow.policy, func.count().label("answers"))
        .where(RecommendationRow.hint_id.is_not(None), *where)
        .group_by(RecommendationRow.policy)
    )
    return {row.policy: row.answers for row in rows}


async def count_is_due(connection: AsyncConnection, domain_id: int) -> bool:
    """Return whether `count_up` would count something: the last time is an hour ago."""
    until = func.coalesce(DomainRow.uses_until, text("'-infinity'::timestamptz"))
    due = select(until < func.now() - text("interval '1 hour'")).where(DomainRow.id == domain_id)
    return bool(await connection.scalar(due))


async def count_up(connection: AsyncConnection, domain_id: int) -> None:
    """Count what a domain has logged since this was last done, if that is an hour ago.

    Args:
        connection: A connection in a transaction; if another one is doing it now, nothing happens.
    """
    await connection.execute(_COUNT_UP, {"domain": domain_id})


async def forget_uses(connection: AsyncConnection, deleted: ColumnElement[bool]) -> None:
    """Take answers that will be deleted off what was counted.

    Args:
        connection: A connection in the transaction that deletes them and holds their domains, so
            that no use is counted meanwhile.
        deleted: The condition that those answers meet.
    """
    counted = (deleted, RecommendationRow.created_at < DomainRow.uses_until)
    within = DomainRow.id == RecommendationRow.domain_id
    gone = uses_by_hint().join(DomainRow, within).where(*counted).subquery()
    await connection.execute(
        update(HintUseRow)
        .where(HintUseRow.domain_id == gone.c.domain_id, HintUseRow.hint_id == gone.c.hint_id)
        .values(uses=func.greatest(HintUseRow.uses - gone.c.uses, 0))
    )
    fewer = (
        select(RecommendationRow.domain_id, func.count().label("answers"))
        .join(DomainRow, within)
        .where(*counted)
        .group_by(RecommendationRow.domain_id)
        .subquery()
    )
    await connection.execute(
        update(DomainRow)
        .where(DomainRow.id == fewer.c.domain_id)
        .values(answers=func.greatest(DomainRow.answers - fewer.c.answers, 0))
    )


async def latest_uses(connection: AsyncConnection, domain_id: int) -> Subquery:
    """Return a domain's answers that `hint_use` does not count yet, as `uses_by_hint`.

    A statement that joins it to `hint_use` counts none twice, even if they are counted up just now.
    """
    counted_until = select(DomainRow.uses_until).where(DomainRow.id == domain_id)
    latest = uses_by_hint().where(RecommendationRow.domain_id == domain_id)
    # As a value, too, by which PostgreSQL sees how few answers these are. It only ever grows.
    until = await connection.scalar(counted_until)
    if until is not None:
        latest = latest.where(RecommendationRow.created_at >= until)
    since = func.coalesce(counted_until.scalar_subquery(), text("'-infinity'::timestamptz"))
    return latest.where(RecommendationRow.created_at >= since).subquery()


async def count_uses(
    connection: AsyncConnection, domain_id: int, hints: Sequence[int]
) -> dict[int, int]:
    """Return how many answers were made with each of some hints; those without any are absent."""
    latest = await latest_uses(connection, domain_id)
    uses = func.coalesce(HintUseRow.uses, 0) + func.coalesce(latest.c.uses, 0)
    rows = await connection.execute(
        select(HintRow.id, uses)
        .outerjoin(HintUseRow, use_of_hint())
        .outerjoin(latest, latest.c.hint_id == HintRow.id)
        .where(HintRow.domain_id == domain_id, is_among(HintRow.id, hints), uses > 0)
    )
    return {row[0]: row[1] for row in rows}
