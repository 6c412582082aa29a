"""Autopilots: turned on and off, held, and what they have decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.autopilot import AutopilotDecisionRow as Decided
from ..schema.autopilot import AutopilotRow
from ..schema.tables import DomainRow
from ..texts import made_storable

_COLUMNS = (
    AutopilotRow.domain_id,
    AutopilotRow.state,
    AutopilotRow.plan,
    AutopilotRow.schedule,
    AutopilotRow.since,
    AutopilotRow.reward_since,
    AutopilotRow.rewards,
    AutopilotRow.key_id,
)
_RENAMED = {"usd_left": "cost_left", "calls_left": "llm_calls_left"}
"""Figures that older decisions are stored with, and what they are called now."""


@dataclass(frozen=True, slots=True)
class Autopilot:
    """A domain's autopilot.

    Attributes:
        domain_id: Key of the domain.
        state: `on`, `held` or `off`.
        plan: A plan from `AutopilotPlan.as_dict`.
        schedule: Name of the schedule of its cycles.
        since: When it was turned on, or resumed.
        reward_since: When it was turned on, or resumed after a drop of reward.
        rewards: Counted rewards from `CountedRewards.as_dict`; `None` before the first cycle.
        key_id: The API key that turned it on, or let it go on; `None` for none.
    """

    domain_id: int
    state: str
    plan: Mapping[str, Any]
    schedule: str
    since: dt.datetime
    reward_since: dt.datetime
    rewards: Mapping[str, Any] | None
    key_id: str | None = None


async def find_autopilot(
    connection: AsyncConnection, domain_id: int, *, alone: bool = False
) -> Autopilot | None:
    """Return a domain's autopilot, if it was ever turned on.

    Args:
        alone: Whether to hold it until the transaction ends; another holder is waited for.
    """
    statement = select(*_COLUMNS).where(AutopilotRow.domain_id == domain_id)
    if alone:
        # The domain first, as deleting it does: else the two deadlock.
        await connection.execute(
            select(DomainRow.id)
            .where(DomainRow.id == domain_id)
            .with_for_update(read=True, key_share=True)
        )
        statement = statement.with_for_update()
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Autopilot(*row)


async def takes_misses(connection: AsyncConnection, domain_id: int) -> bool:
    """Return whether a domain's misses wait for its autopilot, also while that is held."""
    found = await find_autopilot(connection, domain_id)
    return found is not None and found.state != "off"


async def store_autopilot(
    connection: AsyncConnection,
    domain_id: int,
    plan: Mapping[str, Any],
    schedule: str,
    *,
    key_id: str | None = None,
) -> None:
    """Turn an autopilot on, or give it another plan.

    Args:
        connection: A connection in a transaction.
        plan: A plan from `AutopilotPlan.as_dict`.
        schedule: Name of the schedule of its cycles.
        key_id: The API key that turns it on.
    """
    given = {
        "key_id": key_id,
        "plan": dict(plan),
        "schedule": schedule,
        "usd_per_day": plan["usd_per_day"],
        "calls_per_day": plan["calls_per_day"],
    }
    # Another plan is no reason to expect less of the release.
    since = {
        name: case((AutopilotRow.state == "off", func.now()), else_=column)
        for name, column in (
            ("since", AutopilotRow.since),
            ("reward_since", AutopilotRow.reward_since),
        )
    }
    first = insert(AutopilotRow).values(domain_id=domain_id, state="on", **given)
    await connection.execute(
        first.on_conflict_do_update(
            index_elements=[AutopilotRow.domain_id],
            set_={**given, **since, "state": "on"},
        )
    )


async def set_autopilot_state(connection: AsyncConnection, domain_id: int, state: str) -> None:
    """Hold an autopilot, or turn it off.

    Args:
        connection: A connection in a transaction.
        state: The new one.
    """
    changed = update(AutopilotRow).where(AutopilotRow.domain_id == domain_id)
    await connection.execute(changed.values(state=state))


async def autopilots_of_key(connection: AsyncConnection, key_id: str) -> list[int]:
    """Return the domains whose autopilots are on because of an API key."""
    kept = select(AutopilotRow.domain_id).where(
        AutopilotRow.key_id == key_id, AutopilotRow.state == "on"
    )
    return sorted(await connection.scalars(kept))


async def let_go_on(
    connection: AsyncConnection, domain_id: int, *, after_drop: bool, key_id: str | None = None
) -> None:
    """Let a held autopilot go on; jobs that failed before now no longer hold it.

    Args:
        connection: A connection in a transaction.
        after_drop: Whether it was held for a drop of reward: then present reward is what to
            expect. After any other hold, what was expected stays.
        key_id: The API key that lets it go on.
    """
    now = {"since": func.now()} | ({"reward_since": func.now()} if after_drop else {})
    changed = update(AutopilotRow).where(AutopilotRow.domain_id == domain_id)
    await connection.execute(changed.values(state="on", key_id=key_id, **now))


async def store_decision(
    connection: AsyncConnection,
    domain_id: int,
    action: str,
    reason: str,
    words: str,
    *,
    figures: Mapping[str, Any] | None = None,
    job: str | None = None,
) -> None:
    """Write a decision down; waiting on for the same reason counts the one that is there up.

    Args:
        connection: A connection in the transaction that holds the autopilot.
        action: What was decided.
        reason: The reason in one word.
        words: The reason in a sentence.
        figures: What it rests on, ready for JSON.
        job: The job that was submitted.
    """
    told = {"words": made_storable(words), "figures": dict(figures or {})}
    latest = (
        await connection.execute(
            select(Decided.id, Decided.action, Decided.reason)
            .where(Decided.domain_id == domain_id)
            .order_by(Decided.id.desc())
            .limit(1)
        )
    ).one_or_none()
    if action == "wait" and latest is not None and latest[1:] == (action, reason):
        again = update(Decided).where(Decided.id == latest.id)
        await connection.execute(
            again.values(**told, times=Decided.times + 1, last_at=func.clock_timestamp())
        )
        return
    await connection.execute(
        insert(Decided).values(domain_id=domain_id, action=action, reason=reason, job=job, **told)
    )


async def list_decisions(
    connection: AsyncConnection, domain_id: int, count: int
) -> list[dict[str, Any]]:
    """Return the newest decisions, newest first, ready for JSON; figures by their present names."""
    rows = await connection.execute(
        select(
            Decided.created_at,
            Decided.last_at,
            Decided.action,
            Decided.reason,
            Decided.words,
            Decided.figures,
            Decided.job,
            Decided.times,
        )
        .where(Decided.domain_id == domain_id)
        .order_by(Decided.id.desc())
        .limit(count)
    )
    return [
        {
            **row,
            "figures": {_RENAMED.get(name, name): value for name, value in row["figures"].items()},
            "created_at": row["created_at"].isoformat(),
            "last_at": row["last_at"].isoformat(),
        }
        for row in rows.mappings()
    ]
