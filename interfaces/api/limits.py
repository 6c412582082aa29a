"""The limits of API keys: headers that say what is left, and the problem when nothing is.

The headers are those of draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import Scope

from ...errors import LimitReachedError
from ...knowledge.access.allowances import claim_request, seconds_to_next_minute, used_today
from ...records import counted
from ...runtime.caller import Caller
from ...runtime.sharing import shared_services
from ..auth import CHECKED
from .problems import LimitLeft, Problem, ProblemError, problem_of

_MINUTE = 60


async def claim(caller: Caller) -> dict[str, str]:
    """Count a request of a key.

    Args:
        caller: The holder of the key.

    Returns:
        Headers that say how many are left; none without a limit.

    Raises:
        ProblemError: The minute's requests are all made.
    """
    most = caller.grants.requests_per_minute
    if most is None:
        return {}
    services = await shared_services()
    async with services.engine.begin() as connection:
        claimed = await claim_request(connection, caller.key_id, most)
        if claimed is not None:
            return _headers(most, *claimed)
        seconds = await seconds_to_next_minute(connection)
        limits = await limits_left(connection, caller)
    raise ProblemError(
        429,
        f"This key may make {counted(most, 'request')} a minute.",
        {"retry-after": str(seconds), **_headers(most, 0, seconds)},
        type="urn:re2llm:limit",
        field="requests_per_minute",
        remedy=f"Try again in {seconds} s.",
        limits={**limits, "requests_per_minute": LimitLeft(limit=most, left=0)},
    )


async def explained(
    error: Exception, scope: Scope, body: Any = None
) -> tuple[Problem, dict[str, str]]:
    """Return an error as a problem; a spent limit of the day comes with what is left.

    Args:
        error: What ended the request.
        scope: The request's.
        body: As for `problem_of`.

    Returns:
        The problem, and the headers that belong to it.
    """
    problem, headers = problem_of(error, scope, body)
    caller: Caller | None = scope.get(CHECKED)
    if isinstance(error, LimitReachedError) and caller is not None:
        services = await shared_services()
        with suppress(OSError, SQLAlchemyError):
            async with services.engine.connect() as connection:
                problem.limits = await limits_left(connection, caller)
    return problem, headers


async def limits_left(connection: AsyncConnection, caller: Caller) -> dict[str, LimitLeft]:
    """Return what is left of a key's limits of the day.

    Args:
        connection: To the database.
        caller: The holder of the key.
    """
    grants = caller.grants
    limited = {"calls_per_day": grants.calls_per_day, "usd_per_day": grants.usd_per_day}
    if all(limit is None for limit in limited.values()):
        return {}
    used = dict(zip(limited, await used_today(connection, caller.key_id), strict=True))
    return {
        name: LimitLeft(limit=limit, left=max(0.0, round(limit - used[name], 6)))
        for name, limit in limited.items()
        if limit is not None
    }


def _headers(most: int, left: int, seconds: int) -> dict[str, str]:
    return {
        "ratelimit-policy": f'"requests";q={most};w={_MINUTE}',
        "ratelimit": f'"requests";r={left};t={seconds}',
    }
