"""Counts what an autopilot's jobs use in a day: claimed before each call, over all workers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Float, and_, func, or_, select, update
from sqlalchemy import literal as value
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..access.allowances import TODAY
from ..reservations import claimed, settled, used
from ..schema.autopilot import AutopilotDayRow as Day
from ..schema.autopilot import AutopilotRow as Autopilot
from ..schema.jobs import JobRow

DayLimit = Literal["off", "held", "calls_per_day", "usd_per_day", "day"]
"""Why a step of an autopilot may make no further call: the autopilot is off or held, or what it may
use in a day is used up. `day`: it was, but is no more."""


@dataclass(frozen=True, slots=True)
class DayUse:
    """What was used in a day.

    Attributes:
        day: The day in UTC.
        calls: Model calls.
        spent: What they cost.
        reserved: What calls in flight may cost.
    """

    day: dt.date
    calls: int
    spent: float
    reserved: float


@dataclass(frozen=True, slots=True)
class DayClaim:
    """What a call has reserved of a day."""

    day: dt.date
    reserved: float


async def claim_day_call(
    connection: AsyncConnection,
    domain_id: int,
    estimate: float,
    *,
    free: bool = False,
) -> DayClaim | None:
    """Count a call of an autopilot's job before it is made, and reserve what it may cost.

    That is the estimate, or what the most expensive question of the day cost if that is more.
    There is no exception for a first call: a call that does not fit into the day is not made.

    Args:
        connection: A connection in a transaction.
        estimate: What the call may cost.
        free: Whether the call costs nothing for certain: then it reserves nothing.

    Returns:
        What was reserved of which day, or `None` if the day has no room or the autopilot is not on.
    """
    first = insert(Day).values(domain_id=domain_id, day=TODAY)
    await connection.execute(first.on_conflict_do_nothing())
    reserve: ColumnElement[float] = func.greatest(Day.dearest, estimate)
    if free:
        reserve = value(0.0, Float)
    claim = (
        update(Day)
        .where(
            Day.domain_id == domain_id,
            Day.day == TODAY,
            Autopilot.domain_id == Day.domain_id,
            Autopilot.state == "on",
            or_(Autopilot.calls_per_day.is_(None), Day.calls < Autopilot.calls_per_day),
            or_(
                Autopilot.usd_per_day.is_(None),
                used(Day) + reserve <= Autopilot.usd_per_day,
            ),
        )
        .values(**claimed(Day, reserve))
        .returning(Day.day, reserve)
    )
    row = (await connection.execute(claim)).one_or_none()
    return None if row is None else DayClaim(row[0], float(row[1]))


async def limit_of_day(connection: AsyncConnection, domain_id: int) -> DayLimit:
    """Return why `claim_day_call` found no room."""
    plan = select(Autopilot.state, Autopilot.calls_per_day, Autopilot.usd_per_day)
    found = (await connection.execute(plan.where(Autopilot.domain_id == domain_id))).one_or_none()
    if found is None or found.state == "off":
        return "off"
    if found.state == "held":
        return "held"
    (today, *_) = await used_days(connection, domain_id, 0)
    if found.calls_per_day is not None and today.calls >= found.calls_per_day:
        return "calls_per_day"
    return "day" if found.usd_per_day is None else "usd_per_day"


async def settle_day_call(
    connection: AsyncConnection, job_id: str, day: dt.date, *, reserved: float, cost: float
) -> None:
    """Replace what a call has reserved by what it cost, on the day on which it was claimed.

    Args:
        connection: A connection in a transaction.
        job_id: The step that made the call.
        day: From `claim_day_call`, as `reserved` is, summed over the attempts at one question.
        cost: What they cost.
    """
    domain = select(JobRow.domain_id).where(JobRow.id == job_id).scalar_subquery()
    await connection.execute(
        update(Day)
        .where(and_(Day.domain_id == domain, Day.day == day))
        .values(dearest=func.greatest(Day.dearest, cost), **settled(Day, reserved, cost))
    )


async def used_days(connection: AsyncConnection, domain_id: int, count: int) -> list[DayUse]:
    """Return what was used today and on the last days on which anything was.

    Args:
        count: Days before today at most.

    Returns:
        The newest first; today is always there.
    """
    today = await connection.scalar(select(TODAY)) or dt.datetime.now(dt.UTC).date()
    rows = await connection.execute(
        select(Day.day, Day.calls, Day.spent, Day.reserved)
        .where(Day.domain_id == domain_id, Day.day <= today)
        .order_by(Day.day.desc())
        .limit(count + 1)
    )
    found = [DayUse(*row) for row in rows]
    if not found or found[0].day != today:
        found.insert(0, DayUse(today, 0, 0.0, 0.0))
    return found


@dataclass(frozen=True, slots=True)
class DayRoom:
    """What may still be spent in a day.

    Attributes:
        calls: Model calls; `None` for any number.
        usd: US dollars left, less what calls in flight may cost; `None` for any amount.
    """

    calls: int | None
    usd: float | None


async def room_of_day(connection: AsyncConnection, domain_id: int) -> DayRoom:
    """Return what an autopilot's jobs may still spend today."""
    limits = select(Autopilot.calls_per_day, Autopilot.usd_per_day)
    plan = (await connection.execute(limits.where(Autopilot.domain_id == domain_id))).one_or_none()
    if plan is None:
        return DayRoom(None, None)
    (today, *_) = await used_days(connection, domain_id, 0)
    calls, usd = plan.calls_per_day, plan.usd_per_day
    return DayRoom(
        None if calls is None else max(0, calls - today.calls),
        # Rounded, as a sum of many costs is not exact.
        None if usd is None else round(max(0.0, usd - today.spent - today.reserved), 9),
    )
