"""The rewards by which an autopilot sees whether reward has dropped, in blocks, oldest first.

A request counts once its window for feedback is over, and then for good: with its feedback if that
came within the window, else not at all. So quick feedback has no head start on slow feedback, and
what was counted stays as it is when the log is purged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..releases import RELEASE
from ..schema.autopilot import AutopilotRow
from ..schema.tables import ReleaseRow
from .autopilots import Autopilot, find_autopilot

Block = tuple[int, float, float]
"""The number of rewards, their sum, and the sum of their squares."""

_SETTLED = text("SELECT greatest(:until, now() - make_interval(secs => :window))")
_NEW = text("""
    WITH seen AS (
        SELECT f.reward, :counted + row_number() OVER (ORDER BY r.created_at, r.id) - 1 AS place
        FROM re2llm.recommendation AS r
        JOIN re2llm.feedback AS f ON f.recommendation_id = r.id
        LEFT JOIN re2llm.exposure AS e ON e.recommendation_id = r.id
        WHERE r.domain_id = :domain AND r.created_at >= :until AND r.created_at < :settled
            AND f.created_at <= r.created_at + make_interval(secs => :window)
            AND r.model = :model AND r.policy = :policy AND NOT coalesce(e.canary, false)
    )
    SELECT place / :size AS block, count(*), sum(reward), sum(reward * reward)
    FROM seen GROUP BY 1 ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class CountedRewards:
    """What was counted.

    Attributes:
        start: Only requests from then on.
        until: Up to then, all are counted.
        model: The ranking model.
        size: Rewards in a block; the last may be shorter.
        blocks: Oldest first.
    """

    start: dt.datetime
    until: dt.datetime
    model: str
    size: int
    blocks: tuple[Block, ...] = ()

    @property
    def count(self) -> int:
        """Rewards in all blocks."""
        return sum(count for count, _, _ in self.blocks)

    def as_dict(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return {
            "start": self.start.isoformat(),
            "until": self.until.isoformat(),
            "model": self.model,
            "size": self.size,
            "blocks": [list(block) for block in self.blocks],
        }


async def count_rewards(
    connection: AsyncConnection, autopilot: Autopilot, model: str
) -> CountedRewards:
    """Return the rewards of the release that serves, by the autopilot's plan.

    Before the first release, they are those of the best single hint. Rewards of a release that is
    being rolled out are left out, and so are rewards of requests that asked for another way, such
    as without a hint. It starts again when another release becomes active, when the model changes,
    and after a hold for a drop.

    Args:
        model: The ranking model.
    """
    active = select(ReleaseRow.number, ReleaseRow.activated_at).where(
        ReleaseRow.domain_id == autopilot.domain_id, ReleaseRow.status == "active"
    )
    release = (await connection.execute(active)).one_or_none()
    activated = None if release is None else release.activated_at
    policy = "static" if release is None else f"{RELEASE}{release.number}"
    since = autopilot.reward_since
    start = since if activated is None else max(since, activated)
    size: int = autopilot.plan["reference"]
    window: int = autopilot.plan["canary"]["window"]
    known = _known(autopilot.rewards)
    if known is None or (known.start, known.model) != (start, model):
        known = CountedRewards(start, start, model, size)
    if known.count >= min(size, known.size):
        size = known.size  # the reference is whole: another size is for the next one
    values = {"domain": autopilot.domain_id, "until": known.until, "window": window}
    settled = await connection.scalar(_SETTLED, values)
    rows = await connection.execute(
        _NEW,
        {
            **values,
            "settled": settled,
            "counted": known.count,
            "model": model,
            "policy": policy,
            "size": size,
        },
    )
    blocks = list(known.blocks)
    for place, count, total, squares in rows:
        before = blocks.pop() if place < len(blocks) else (0, 0.0, 0.0)  # it goes on with the last
        blocks.append((before[0] + int(count), before[1] + total, before[2] + squares))
    return CountedRewards(start, settled or known.until, model, size, tuple(blocks))


async def keep_counted_rewards(connection: AsyncConnection, domain_id: int, model: str) -> None:
    """Count new rewards and store the sums, unless the autopilot is off.

    Args:
        connection: A connection in a transaction.
        model: The ranking model, where nothing has been counted yet.
    """
    autopilot = await find_autopilot(connection, domain_id, alone=True)
    if autopilot is None or autopilot.state == "off":
        return
    counted = await count_rewards(connection, autopilot, model)
    await connection.execute(
        update(AutopilotRow)
        .where(AutopilotRow.domain_id == domain_id)
        .values(rewards=counted.as_dict())
    )


async def keep_before_purge(connection: AsyncConnection, model: str) -> None:
    """Count the new rewards of all autopilots, so that a purge of the log does not lose them.

    Args:
        connection: A connection in a transaction that holds the domains whose log is purged.
        model: The ranking model, where nothing has been counted yet.
    """
    found = await connection.execute(
        select(AutopilotRow.domain_id, AutopilotRow.rewards)
        .where(AutopilotRow.state != "off")
        .order_by(AutopilotRow.domain_id)
    )
    for domain_id, stored in found.all():
        known = _known(stored)
        await keep_counted_rewards(connection, domain_id, model if known is None else known.model)


def _known(stored: Mapping[str, Any] | None) -> CountedRewards | None:
    if stored is None:
        return None
    return CountedRewards(
        dt.datetime.fromisoformat(stored["start"]),
        dt.datetime.fromisoformat(stored["until"]),
        stored["model"],
        stored["size"],
        tuple((int(count), total, squares) for count, total, squares in stored["blocks"]),
    )
