"""How many jobs an API key may have running, and what becomes of them when it is revoked."""

from __future__ import annotations

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import LimitReachedError
from ..schema.jobs import JobRow
from .jobs import KEY_REVOKED

JOBS_AT_ONCE = 10
"""Most running jobs of one key, so that no key fills the queue that all share."""

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('re2llm:jobs:' || :key, 0))")


async def hold_place(connection: AsyncConnection, key_id: str | None) -> None:
    """Make sure that a key may have one more job running.

    Args:
        connection: A connection in the transaction that starts the job; until it ends, the key's
            others wait.
        key_id: The id of the key; `None` for work without one.

    Raises:
        LimitReachedError: It has as many as it may have.
    """
    if key_id is None:
        return
    await connection.execute(_ALONE, {"key": key_id})
    running = select(func.count()).where(JobRow.key_id == key_id, JobRow.state == "running")
    if (await connection.scalar(running) or 0) >= JOBS_AT_ONCE:
        raise LimitReachedError(
            "jobs",
            f"This key has {JOBS_AT_ONCE} jobs running, and may have no more at once.",
            "Wait until one has ended, or cancel one.",
        )


async def stop_jobs_of_key(connection: AsyncConnection, key_id: str) -> int:
    """Stop the running jobs that an API key has started, and return how many.

    Args:
        connection: A connection in the transaction that revokes the key.
    """
    stopped = (
        update(JobRow)
        .where(JobRow.key_id == key_id, JobRow.state == "running")
        .values(state="stopped", reason=KEY_REVOKED, ended_at=func.now())
    )
    return (await connection.execute(stopped)).rowcount
