"""The jobs of a domain's autopilot: its cycles, and the steps that they begin."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, delete, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ..jobs.jobs import JOB_COLUMNS, Job
from ..schema.jobs import JobRow
from ..schema.tables import DomainRow


async def last_step(connection: AsyncConnection, domain_id: int) -> Job | None:
    """Return the step of a domain's autopilot that is not over, or the newest one if all are over.

    An older step is not over if it was retried.
    """
    unfinished = JobRow.state.in_(("running", "paused"))
    return await _piloted(connection, domain_id, true(), unfinished.desc())


async def last_training(
    connection: AsyncConnection, domain_id: int, *states: Literal["done", "cancelled"]
) -> Job | None:
    """Return the newest training of a domain's autopilot that ended so.

    Args:
        states: The states that count.
    """
    ended = and_(JobRow.kind == "train", JobRow.state.in_(states))
    return await _piloted(connection, domain_id, ended)


async def _piloted(
    connection: AsyncConnection,
    domain_id: int,
    which: ColumnElement[bool],
    *first: ColumnElement[Any],
) -> Job | None:
    found = (
        select(*JOB_COLUMNS)
        .join(DomainRow, DomainRow.id == JobRow.domain_id)
        .where(JobRow.domain_id == domain_id, JobRow.autopilot, which)
        .order_by(*first, JobRow.created_at.desc(), JobRow.id)
        .limit(1)
    )
    row = (await connection.execute(found)).mappings().one_or_none()
    return None if row is None else Job(**row)


async def forget_waits(connection: AsyncConnection, domain_id: int) -> None:
    """Delete the ended cycles of a domain's autopilot that did nothing but wait.

    Args:
        connection: A connection in a transaction.
    """
    await connection.execute(
        delete(JobRow).where(
            JobRow.domain_id == domain_id,
            JobRow.kind == "autopilot",
            JobRow.state == "done",
            JobRow.result["action"].astext == "wait",
        )
    )
