"""The steps that this process is doing for jobs, and what becomes of them when it stops."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from ...errors import DatabaseError, GoneError
from ...knowledge.engine import is_outage

PAUSES = (0.5, 1, 2, 5, 10, 20, 30, 60)
"""Seconds between tries while the database is away; the last one is repeated."""
_TRIES = 10
"""Tries of what may be a bug: the database is there, but refuses a statement."""
steps = set[int]()
"""Steps in flight."""
leaving = asyncio.Event()
"""Set when this process stops; other workers take its unfinished work."""
_numbers = itertools.count()
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


async def keep(step: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do a step, counted among those in flight.

    Raises:
        CancelledError: The process stops: what comes of a step then is no outcome.
    """
    number = next(_numbers)
    steps.add(number)
    try:
        result = await steadily(step)
    except Exception:
        leave_if_told()
        raise
    finally:
        steps.discard(number)
    leave_if_told()
    return result


def leave_if_told() -> None:
    """End what runs here as if the process were killed, if it stops: others then do it again.

    Raises:
        CancelledError: It stops.
    """
    if leaving.is_set():
        raise asyncio.CancelledError


async def steadily(step: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run a step, and again while the database is away, however long that is.

    One whose session or hint was deleted meanwhile is run again, too: it then does without.
    """
    for tried in itertools.count(1):
        try:
            return await step()
        except (DatabaseError, GoneError, SQLAlchemyError, OSError) as error:
            if tried > _TRIES and not is_outage(error):
                raise
            _log.warning("the database took no statement (%s); trying again", _brief(error))
        await asyncio.sleep(PAUSES[min(tried, len(PAUSES)) - 1])
    raise AssertionError


def _brief(error: Exception) -> str:
    """Return an error's kind and its SQLSTATE; its words may hold values."""
    cause = error.__cause__ if isinstance(error, DatabaseError | GoneError) else error
    code = getattr(getattr(cause, "orig", None), "sqlstate", None)
    return " ".join(filter(None, [type(error).__name__, code]))
