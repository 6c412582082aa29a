"""The log of who was served by which release of a rollout, and the sums that decisions rest on."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.rollouts import ExposureRow, RolloutRow
from ..sessions.sources import LOCAL


@dataclass(frozen=True, slots=True)
class Exposure:
    """One answered request of a rollout.

    Attributes:
        rollout_id: Id of the rollout.
        step: Its step when the person was assigned.
        person: Salted hash of who asked.
        canary: Whether the person was assigned the new release; it served unless it failed.
        probability: The probability with which the person was assigned so.
        differs: Whether the two releases may rank differently: they chose different hints, or weigh
            the model's opinion differently.
        failed: Whether the new release failed to choose.
        fallback: Whether the model's ranking or the hint was missing from the answer.
        latency: Log of 1 + milliseconds.
        cost: Log of 1 + tokens, weighted by their prices.
        source: The id of the API key that asked, or `local`.
        both_ask: Whether both releases ask the model; else one has no time or cost to compare with.
    """

    rollout_id: int
    step: int
    person: bytes
    canary: bool
    probability: float
    differs: bool
    failed: bool
    fallback: bool
    latency: float
    cost: float
    source: str = LOCAL
    both_ask: bool = True


async def log_exposures(connection: AsyncConnection, made: Mapping[uuid.UUID, Exposure]) -> None:
    """Store exposures.

    Args:
        connection: A connection in the transaction that stores the recommendations.
        made: Exposures by the id of the answer.
    """
    rows = [
        {"recommendation_id": answer, **{name: getattr(one, name) for name in Exposure.__slots__}}
        for answer, one in made.items()
    ]
    await connection.execute(_LOGGED, rows)


_LOGGED = insert(ExposureRow)
_REWARD = text("""
    UPDATE re2llm.exposure AS e
    SET reward = :reward, picked = :picked, source = :source,
        late = now() > e.created_at + make_interval(secs => (r.plan->>'window')::float)
    FROM re2llm.rollout AS r
    WHERE e.recommendation_id = :recommendation AND r.id = e.rollout_id AND e.reward IS NULL
    RETURNING e.rollout_id
""")


async def note_reward(
    connection: AsyncConnection,
    recommendation_id: uuid.UUID,
    reward: float,
    *,
    picked: bool,
    source: str = LOCAL,
) -> int | None:
    """Note the feedback on an exposure, and whether it came within the rollout's window.

    The exposure counts from then on as that of who gave the feedback.

    Args:
        connection: A connection in the transaction that stores the feedback.
        recommendation_id: The id of the answer; most belong to no rollout.
        reward: The reward as stored with the feedback.
        picked: Whether something was picked.
        source: The id of the API key that the feedback came with, or `local`.

    Returns:
        The id of the rollout, or `None` if the answer belongs to none.
    """
    values = {
        "recommendation": recommendation_id,
        "reward": reward,
        "picked": picked,
        "source": source,
    }
    return await connection.scalar(_REWARD, values)


_METRICS = {
    "reward": ("differs AND in_time", "reward"),
    "answered": ("is_over", "in_time::int"),
    "fallbacks": ("both_ask", "fallback::int"),
    "latency": ("both_ask", "latency"),
    "cost": ("both_ask", "cost"),
    "failures": ("true", "failed::int"),
}
"""For each metric, the exposures that count and the value that is summed up."""


def _sums() -> str:
    each = ", ".join(
        f"count(*) FILTER (WHERE {counts})::float AS {name}_n, "
        f"coalesce(sum({value}) FILTER (WHERE {counts}), 0)::float AS {name}_y"
        for name, (counts, value) in _METRICS.items()
    )
    total = ", ".join(
        f"count(*) FILTER (WHERE {m}_n > 0) AS {m}_people, sum({m}_n) AS {m}_n, "
        f"sum({m}_y) AS {m}_total, sum({m}_n * {m}_n) AS {m}_n_squares, "
        f"sum({m}_y * {m}_y) AS {m}_squares, sum({m}_n * {m}_y) AS {m}_cross"
        for m in _METRICS
    )
    return f"""
        WITH seen AS (
            SELECT *, reward IS NOT NULL AND NOT late AS in_time,
                created_at < now() - make_interval(secs => :window) AS is_over
            FROM re2llm.exposure WHERE rollout_id = :rollout
        ), people AS (
            SELECT step, canary, owner, count(*) AS n, count(*) FILTER (WHERE differs) AS differ,
                count(*) FILTER (WHERE NOT is_over AND reward IS NULL) AS waiting,
                count(*) FILTER (WHERE is_over AND NOT in_time) AS silent,
                count(*) FILTER (WHERE late) AS late,
                count(*) FILTER (WHERE in_time AND NOT picked) AS none_picked, {each}
            FROM seen
            JOIN unnest(cast(:sources AS text[]), cast(:owners AS text[])) AS whose(source, owner)
                USING (source)
            GROUP BY step, canary, owner, person
        )
        SELECT step, canary, owner, count(*) AS people, sum(n)::bigint AS exposures,
            sum(differ)::bigint AS differ, sum(waiting)::bigint AS waiting,
            sum(silent)::bigint AS silent, sum(late)::bigint AS late,
            sum(none_picked)::bigint AS none_picked, {total}
        FROM people GROUP BY step, canary, owner
    """  # noqa: S608  # nosec B608  # nothing in it comes from outside


_EVIDENCE = text(_sums())


async def seen_within(connection: AsyncConnection, rollout_id: int, period: dt.timedelta) -> bool:
    """Return whether a rollout has begun, or a request has belonged to it, within a period."""
    since = func.now() - period
    seen = select(ExposureRow.recommendation_id).where(
        ExposureRow.rollout_id == RolloutRow.id, ExposureRow.created_at > since
    )
    statement = select(or_(RolloutRow.created_at > since, seen.exists()))
    return bool(await connection.scalar(statement.where(RolloutRow.id == rollout_id)))


async def exposure_sources(connection: AsyncConnection, rollout_id: int) -> set[str]:
    """Return the sources of all exposures of a rollout."""
    sources = select(ExposureRow.source).where(ExposureRow.rollout_id == rollout_id).distinct()
    return set((await connection.scalars(sources)).all())


async def exposure_sums(
    connection: AsyncConnection,
    rollout_id: int,
    window: float,
    owners: Mapping[str, str | None],
) -> list[Mapping[str, Any]]:
    """Return the sums over people of what a rollout has seen, for each step, arm and owner.

    Args:
        window: Seconds within which feedback counts.
        owners: Whose each source is; exposures of another source are left out. A person's
            exposures by several keys of one owner are those of one person.

    Returns:
        Rows with `step`, `canary`, `owner`, counts, and for each metric its sums as in `Moments`,
        with the metric's name before each.
    """
    values = {
        "rollout": rollout_id,
        "window": window,
        "sources": list(owners),
        "owners": list(owners.values()),
    }
    return [dict(row) for row in (await connection.execute(_EVIDENCE, values)).mappings()]
