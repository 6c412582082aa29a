"""Counts what a job spends, and paces models, in the database: all workers share the counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Float, and_, case, extract, func, or_, select, update
from sqlalchemy import literal as value
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from .autopilot.days import DayLimit, claim_day_call, limit_of_day, room_of_day, settle_day_call
from .reservations import claimed, days_to_settle, likely_cost, settled, used
from .schema.jobs import JobRow as Job
from .schema.jobs import ModelPaceRow as Pace

JobLimit = Literal["state", "max_llm_calls", "max_tokens", "max_cost", "price", DayLimit]
"""Why a job may make no further call.

`price`: what it may cost is limited, and the model has no price.

`state`: it was paused or cancelled; `DayLimit`: its autopilot allows no further call today.
"""

_ROOM = (
    *(Job.autopilot, Job.domain_id, Job.max_calls, Job.calls),
    *(Job.max_cost, Job.spent, Job.reserved, Job.answered, Job.state, Job.tokens, Job.max_tokens),
)


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A call that a job may make.

    Attributes:
        reserved: What it may cost.
        day: The day of the autopilot's budget that reserved it too; `None` for another job.
    """

    reserved: float
    day: dt.date | None = None


async def claim_job_call(
    connection: AsyncConnection,
    job_id: str,
    estimate: float | None,
    least: float | None = None,
    *,
    free: bool = False,
) -> JobClaim | JobLimit:
    """Count a call before it is made, and reserve what it may cost.

    The first calls reserve the estimate, later ones the mean of those that were answered, or
    `least` if that is more: many small calls must not make a large one look cheap. A call that
    finds nothing spent and nothing reserved may always be made. A step of an autopilot also
    claims from its day, without that exception, and reserves what it does there.

    Args:
        connection: A connection in a transaction.
        estimate: What the call may cost; `None` if the model has no price.
        least: What it will cost at least, with an answer of usual length; `None` takes the
            estimate.
        free: Whether it costs nothing for certain: then it reserves nothing, and is not settled.

    Returns:
        What was reserved, for `settle_job_call`; or the limit that the call would exceed.
    """
    if estimate is None:
        if (await room_of_job(connection, job_id)).usd is not None:
            return "price"
        estimate = 0.0
    guess = likely_cost(Job, estimate, estimate if least is None else least)
    reserve: ColumnElement[float] = case((Job.max_cost.is_(None), 0.0), else_=guess)
    if free:
        reserve = value(0.0, Float)
    reserved = await _claim(connection, job_id, reserve, ~Job.autopilot)
    if reserved is not None:
        return JobClaim(reserved)
    row = await _row(connection, job_id)
    if row is None or not row.autopilot:
        return _why_not(row)
    async with connection.begin_nested() as both:
        of_day = await claim_day_call(connection, row.domain_id, estimate, free=free)
        if of_day is not None:
            kept: ColumnElement[float] = value(of_day.reserved, Float)
            reserved = await _claim(connection, job_id, kept, Job.autopilot.is_(True))
            if reserved is not None:
                return JobClaim(reserved, of_day.day)
        await both.rollback()
    if of_day is None:
        return await limit_of_day(connection, row.domain_id)
    return _why_not(await _row(connection, job_id))


async def _claim(
    connection: AsyncConnection,
    job_id: str,
    reserve: ColumnElement[float],
    which: ColumnElement[bool],
) -> float | None:
    claim = (
        update(Job)
        .where(
            Job.id == job_id,
            which,
            Job.state == "running",
            or_(Job.max_calls.is_(None), Job.calls < Job.max_calls),
            or_(Job.max_tokens.is_(None), Job.tokens < Job.max_tokens),
            or_(
                Job.max_cost.is_(None),
                and_(used(Job) == 0, Job.max_cost > 0),
                used(Job) + reserve <= Job.max_cost,
            ),
        )
        .values(**claimed(Job, reserve))
        .returning(reserve)
    )
    reserved = await connection.scalar(claim)
    return None if reserved is None else float(reserved)


async def _row(connection: AsyncConnection, job_id: str) -> Any:
    return (await connection.execute(select(*_ROOM).where(Job.id == job_id))).one_or_none()


def _why_not(row: Any) -> JobLimit:
    if row is None or row.state != "running":
        return "state"
    if row.max_calls is not None and row.calls >= row.max_calls:
        return "max_llm_calls"
    return (
        "max_tokens" if row.max_tokens is not None and row.tokens >= row.max_tokens else "max_cost"
    )


async def settle_job_call(
    connection: AsyncConnection,
    job_id: str,
    *,
    reserved: float,
    cost: float,
    tokens: int,
    answered: bool,
    days: Mapping[dt.date, float] | None = None,
) -> None:
    """Replace what a call has reserved by what it cost.

    Args:
        connection: A connection in a transaction.
        reserved: The sum reserved by `claim_job_call` over the attempts at one question.
        answered: Whether there was an answer.
        days: What each day of an autopilot has reserved of that; the last one pays the cost.
    """
    # First the days and then the job, as a claim does: else they deadlock.
    for day, kept, paid in days_to_settle(days or {}, cost):
        await settle_day_call(connection, job_id, day, reserved=kept, cost=paid)
    await connection.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(
            answered=Job.answered + int(answered),
            tokens=Job.tokens + tokens,
            **settled(Job, reserved, cost),
        )
    )


@dataclass(frozen=True, slots=True)
class JobRoom:
    """What a job may still spend.

    Attributes:
        calls: Model calls; `None` for any number.
        usd: US dollars left, less what calls in flight may cost; `None` for any amount.
        mean: What an answered question has cost; `None` before the first.
    """

    calls: int | None
    usd: float | None
    mean: float | None


async def room_of_job(connection: AsyncConnection, job_id: str) -> JobRoom:
    """Return what a job may still spend, by its own limits and by the day of its autopilot."""
    found = await _row(connection, job_id)
    if found is None:
        return JobRoom(0, 0.0, None)
    calls = [] if found.max_calls is None else [found.max_calls - found.calls]
    usd = [] if found.max_cost is None else [found.max_cost - found.spent - found.reserved]
    if found.autopilot:
        of_day = await room_of_day(connection, found.domain_id)
        calls += [] if of_day.calls is None else [of_day.calls]
        usd += [] if of_day.usd is None else [of_day.usd]
    mean = found.spent / found.answered if found.answered else None
    return JobRoom(min(calls, default=None), min(usd, default=None), mean)


async def next_start(connection: AsyncConnection, model: str, rate: float) -> float:
    """Take a model's next turn, and return how many seconds from now it is.

    Args:
        connection: A connection in a transaction.
        rate: Calls a second, over all workers.
    """
    now, step = func.clock_timestamp(), func.make_interval(0, 0, 0, 0, 0, 0, 1 / rate)
    first = insert(Pace).values(model=model, next_at=now + step)
    taken = first.on_conflict_do_update(
        index_elements=[Pace.model], set_={"next_at": func.greatest(Pace.next_at, now) + step}
    ).returning(extract("epoch", Pace.next_at - step - now))
    return max(0.0, float(await connection.scalar(taken) or 0.0))
