"""Cancels jobs that do not run. People's sessions go with them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.jobs import JobRow
from .jobs import PRIVATE, WITHOUT_SESSIONS

_PURGED = "Its sessions were purged."
_CANCEL = (
    update(JobRow)
    .where(JobRow.state.in_(("paused", "stopped", "failed")))
    .values(state="cancelled", ended_at=func.now(), arguments=WITHOUT_SESSIONS)
)


async def cancel_stored(connection: AsyncConnection, job_id: str) -> None:
    """Cancel a job that is not running.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(_CANCEL.where(JobRow.id == job_id))


async def cancel_with_sessions(connection: AsyncConnection, which: ColumnElement[bool]) -> None:
    """Cancel jobs that keep people's sessions and do not run: without them, they cannot go on.

    Args:
        connection: A connection in a transaction.
        which: Selects the jobs.
    """
    kept = JobRow.arguments.op("?")(PRIVATE)
    await connection.execute(_CANCEL.where(kept, which).values(reason=_PURGED))
