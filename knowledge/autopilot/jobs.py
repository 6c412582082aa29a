"""The jobs of a domain's autopilot, its cycles and their steps; and anybody's trainings."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from sqlalchemy import ColumnElement, Float, and_, cast, delete, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ..jobs.jobs import JOB_COLUMNS, Job
from ..prompted_model import PromptedModel, of_model
from ..schema.jobs import JobRow
from ..schema.tables import DomainRow, ReleaseRow

_SECOND = dt.timedelta(seconds=1)


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


async def last_release_begun(
    connection: AsyncConnection, domain_id: int, prompted_model: PromptedModel
) -> dt.datetime | None:
    """Return when the training of a release began, the latest, whoever asked for it.

    Args:
        prompted_model: The model and prompt that it must be trained for.

    Returns:
        The time, or `None` without such a release. A job begins when it is submitted.
    """
    # Releases of older versions do not say how long they took.
    took = func.coalesce(cast(ReleaseRow.config["seconds"].astext, Float), 0.0) * _SECOND
    begun = func.least(ReleaseRow.created_at - took, JobRow.created_at)
    by_job = JobRow.id == ReleaseRow.config["job"].astext
    latest = select(func.max(begun)).select_from(ReleaseRow).outerjoin(JobRow, by_job)
    its = (ReleaseRow.domain_id == domain_id, of_model(ReleaseRow, prompted_model))
    return await connection.scalar(latest.where(*its))


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
