"""Finds new sessions that are stored ones at a later time, as in an export that has grown."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.tables import SessionRow
from .sources import FILE

_SHORTEST = 3
"""Two people often begin with the same two items."""


async def newest_key(connection: AsyncConnection, domain_id: int) -> int:
    """Return the key of a domain's newest training session, 0 if there is none."""
    newest = select(func.max(SessionRow.id)).where(SessionRow.domain_id == domain_id)
    return await connection.scalar(newest) or 0


async def count_grown(connection: AsyncConnection, domain_id: int, newest: int) -> int:
    """Return how many sessions begin with all of an older one that was loaded, and go on.

    Args:
        newest: The key of the last older session.
    """
    if not newest:
        return 0
    older = {
        states[-1]
        async for states in _beginnings(connection, domain_id, 0, newest)
        if len(states) >= _SHORTEST
    }
    grown = 0
    async for states in _beginnings(connection, domain_id, newest, None):
        grown += not older.isdisjoint(states[:-1])
    return grown


async def _beginnings(
    connection: AsyncConnection, domain_id: int, after: int, last: int | None
) -> AsyncIterator[list[int]]:
    """Stream the hashes of all beginnings of each session that was loaded, the shortest first."""
    statement = select(SessionRow.history, SessionRow.target).where(
        SessionRow.domain_id == domain_id, SessionRow.source == FILE, SessionRow.id > after
    )
    if last is not None:
        statement = statement.where(SessionRow.id <= last)
    async with connection.stream(statement) as rows:
        async for history, target in rows:
            state = 0
            states = [state := hash((state, item)) for item in (*history, target)]
            yield states
