"""What calls reserve of a budget: the same for API keys, for jobs and for an autopilot's days.

Before a call is made, it reserves what it may cost. What it did cost then takes the place of that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Float, func
from sqlalchemy import literal as value

from .schema.autopilot import AutopilotDayRow
from .schema.jobs import JobRow
from .schema.keys import ApiKeyDayRow

Account = type[ApiKeyDayRow] | type[AutopilotDayRow] | type[JobRow]
"""A table whose rows count calls, what they cost, and what calls in flight may cost."""


def used(account: Account) -> ColumnElement[float]:
    """Return what was spent and what is reserved."""
    return account.spent + account.reserved


def likely_cost(
    account: type[ApiKeyDayRow | JobRow], estimate: float, least: float
) -> ColumnElement[float]:
    """Return what a call may cost: the mean of those that were answered, or `least` if more.

    Args:
        account: The table.
        estimate: Taken as the mean before the first answer.
        least: What the call costs at least: many small ones must not make a large one look cheap.
    """
    mean = account.spent / func.nullif(account.answered, 0)
    return func.greatest(func.coalesce(mean, value(estimate, Float)), value(least, Float))


def claimed(account: Account, reserve: ColumnElement[float]) -> dict[str, Any]:
    """Return the new values of a row once a call has claimed its part."""
    return {"calls": account.calls + 1, "reserved": account.reserved + reserve}


def settled(account: Account, reserved: float, cost: float) -> dict[str, Any]:
    """Return the new values of a row once what a call cost is known.

    Args:
        account: The table.
        reserved: What the call had reserved.
        cost: What it cost.
    """
    return {
        "spent": account.spent + cost,
        # What calls in flight had reserved may have been forgotten meanwhile.
        "reserved": func.greatest(account.reserved - reserved, 0.0),
    }


def days_to_settle(
    reserved: Mapping[dt.date, float], cost: float
) -> Iterator[tuple[dt.date, float, float]]:
    """Yield each day with what was reserved of it and what it pays: the last one pays all.

    They come in order, so that no two who settle the same days wait for each other.
    """
    for day, kept in sorted(reserved.items()):
        yield day, kept, cost if day == max(reserved) else 0.0
