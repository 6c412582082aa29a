"""Holds the rollouts that a purge takes evidence from.

Intervals hold at all times only while everything that was seen still counts. On what purges leave,
an equal release would be promoted or taken back by mistake ever more often.
"""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.retention import Scope
from ...knowledge.rollouts.rollouts import (
    IS_LIVE,
    Change,
    change_rollout,
    claim_rollout,
    rollout_events,
)
from ...knowledge.schema.log import FeedbackRow, RecommendationRow
from ...knowledge.schema.rollouts import ExposureRow, RolloutRow
from ...policies.rollout.owners import decide_without_one
from ...policies.rollout.plan import Plan
from ...ranking.rollouts import seen_by_owners
from ...runtime.options import RunOptions

_WORDS = "A purge has deleted a part of what was seen, so it can no longer decide by itself."


async def hold_before_purge(connection: AsyncConnection, scope: Scope, options: RunOptions) -> int:
    """Hold the live rollouts whose exposures or feedback a purge deletes, with their figures.

    Args:
        connection: A connection in a transaction that holds the domains by `hold_domains`, and no
            hints: a decision takes the rollout's row first.

    Returns:
        How many.
    """
    made = select(RecommendationRow.id).where(scope.covers(RecommendationRow))
    given = select(FeedbackRow.recommendation_id).where(scope.covers(FeedbackRow))
    gone = or_(*(ExposureRow.recommendation_id.in_(ids) for ids in (made, given)))
    found = await connection.scalars(
        select(RolloutRow.id)
        .where(IS_LIVE, RolloutRow.id.in_(select(ExposureRow.rollout_id).where(gone)))
        .order_by(RolloutRow.domain_id)
    )
    held = 0
    for key in found.all():
        rollout = await claim_rollout(connection, key, wait=True)
        if rollout is None:
            continue  # it was decided meanwhile
        *_, last = await rollout_events(connection, key)
        if last["reason"] == "purged":
            continue
        seen = await seen_by_owners(connection, rollout, options.settings.source_share)
        verdict, _ = decide_without_one(Plan.from_dict(dict(rollout.plan)), seen)
        change = Change("held", "purged", _WORDS, verdict.figures)
        await change_rollout(connection, rollout, change)
        held += 1
    return held
