"""Counts what API keys use, in the database, so that all processes share one count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Float,
    and_,
    case,
    cast,
    extract,
    func,
    or_,
    select,
    update,
)
from sqlalchemy import literal as value
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..reservations import claimed, days_to_settle, likely_cost, settled, used
from ..schema.keys import ApiKeyDayRow as Day
from ..schema.keys import ApiKeyMinuteRow as Minute
from ..schema.keys import ApiKeyRow as Key
from .grants import Grants

Limit = Literal["calls_per_day", "usd_per_day", "revoked"]
"""A daily limit, by its name among the grants; a revoked key has nothing left."""

_NOW = func.now()
TODAY = cast(func.timezone("UTC", _NOW), Date)
"""The current day in UTC, by the database's clock."""
_THIS_MINUTE = func.date_trunc("minute", _NOW)
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """A call that a key may make.

    Attributes:
        reserved: What it may cost.
        day: The day on which it was reserved.
    """

    reserved: float
    day: dt.date


async def claim_request(
    connection: AsyncConnection, key_id: str, most: int
) -> tuple[int, int] | None:
    """Count a request of this minute.

    Args:
        connection: A connection in a transaction.
        key_id: The id of the key.
        most: Requests a minute.

    Returns:
        How many are left, and for how many seconds; `None` if the key may not make this one.
    """
    first = insert(Minute).values(key_id=key_id, minute=_THIS_MINUTE, requests=1)
    same = Minute.minute == first.excluded.minute
    counted = first.on_conflict_do_update(
        index_elements=[Minute.key_id],
        set_={
            "minute": first.excluded.minute,
            "requests": case((same, Minute.requests + 1), else_=1),
        },
        where=or_(~same, Minute.requests < most),
    ).returning(Minute.requests, extract("second", func.now()))
    taken = (await connection.execute(counted)).one_or_none()
    return None if taken is None else (most - taken[0], _MINUTE - int(taken[1]))


async def seconds_to_next_minute(connection: AsyncConnection) -> int:
    """Return the seconds after which `claim_request` starts counting again."""
    passed = await connection.scalar(select(extract("second", func.clock_timestamp())))
    return max(1, _MINUTE - int(passed or 0))


async def claim_call(
    connection: AsyncConnection, key_id: str, grants: Grants, estimate: float, least: float = 0.0
) -> KeyClaim | Limit:
    """Count a paid call of today before it is made, and reserve what it may cost.

    The first calls of a day reserve the estimate, later ones the mean of those that were answered,
    or `least` if that is more: many small calls must not make a large one look cheap. A call that
    finds nothing spent and nothing reserved may always be made, so that a large estimate locks no
    key out.

    Args:
        connection: A connection in a transaction.
        key_id: The id of the key.
        grants: Its limits.
        estimate: What the call may cost.
        least: What it will cost at least, with an answer of usual length.

    Returns:
        What was reserved, for `settle_call`; or the limit that the call would exceed.
    """
    limited = grants.usd_per_day is not None
    guess: ColumnElement[float] = value(estimate if limited else 0.0, Float)
    reserve = likely_cost(Day, estimate, least) if limited else guess
    within = and_(
        *([Day.calls < grants.calls_per_day] if grants.calls_per_day is not None else []),
        *([or_(used(Day) == 0, used(Day) + reserve <= grants.usd_per_day)] if limited else []),
        value(True),  # noqa: FBT003
    )
    # Only a key that still works: a run may have waited since it was revoked.
    works = select(Key.id, TODAY, value(1), value(0), value(0.0), guess).where(
        Key.id == key_id, Key.revoked_at.is_(None)
    )
    columns = [Day.key_id, Day.day, Day.calls, Day.answered, Day.spent, Day.reserved]
    first = insert(Day).from_select(columns, works)
    counted = first.on_conflict_do_update(
        index_elements=[Day.key_id, Day.day],
        set_=claimed(Day, reserve),
        where=within,
    ).returning(reserve, Day.day)
    claim = (await connection.execute(counted)).one_or_none()
    if claim is not None:
        return KeyClaim(*claim)
    today = and_(Day.key_id == Key.id, Day.day == TODAY)
    key = select(Key.revoked_at, Day.calls).outerjoin(Day, today).where(Key.id == key_id)
    found = (await connection.execute(key)).one_or_none()
    if found is None or found.revoked_at is not None:
        return "revoked"
    calls = found.calls or 0
    all_made = grants.calls_per_day is not None and calls >= grants.calls_per_day
    return "calls_per_day" if all_made else "usd_per_day"


async def settle_call(
    connection: AsyncConnection,
    key_id: str,
    *,
    reserved: Mapping[dt.date, float],
    cost: float,
    answered: bool,
) -> None:
    """Replace what a call has reserved by what it cost.

    Args:
        connection: A connection in a transaction.
        key_id: The id of the key.
        reserved: What `claim_call` reserved of each day, summed over the attempts at one question;
            the last day pays the cost.
        cost: What they cost.
        answered: Whether there was an answer.
    """
    for day, kept, paid in days_to_settle(reserved, cost):
        await connection.execute(
            update(Day)
            .where(Day.key_id == key_id, Day.day == day)
            .values(
                answered=Day.answered + int(answered and day == max(reserved)),
                **settled(Day, kept, paid),
            )
        )


async def used_today(connection: AsyncConnection, key_id: str) -> tuple[int, float]:
    """Return a key's model calls of today, and what they cost or may cost."""
    today = select(Day.calls, used(Day)).where(Day.key_id == key_id, Day.day == TODAY)
    found = (await connection.execute(today)).one_or_none()
    return (0, 0.0) if found is None else (found[0], found[1])


async def used_by_key(connection: AsyncConnection) -> dict[str, tuple[int, float]]:
    """Return the same of every key that has made calls today, by its id."""
    today = select(Day.key_id, Day.calls, used(Day)).where(Day.day == TODAY)
    return {row[0]: (row[1], row[2]) for row in await connection.execute(today)}


async def next_day(connection: AsyncConnection) -> tuple[dt.datetime, int]:
    """Return when the limits of a day start again, and after how many seconds.

    Args:
        connection: A connection in the transaction that counted the day, by whose clock it is.
    """
    starts = func.timezone("UTC", cast(TODAY + 1, DateTime))
    left = func.ceil(extract("epoch", starts - _NOW))
    at, seconds = (await connection.execute(select(starts, left))).one()
    return at.astimezone(dt.UTC), int(seconds)
