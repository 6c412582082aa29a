"""Deletes finished DBOS workflows, which nothing reads any more.

Each attempt of a job has its own workflows, so `jobs retry` needs none of an earlier attempt.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random

from dbos import DBOSClient
from sqlalchemy.exc import SQLAlchemyError

from ...errors import DatabaseError
from ...knowledge.jobs.jobs import is_running
from ...runtime.services import Services
from ..queue.dbos_client import RUN, queue_client

KEPT = dt.timedelta(days=1)
"""How long a finished workflow is kept."""
_EVERY = 3600.0
"""Seconds between two sweeps; workers that start together do not sweep together."""
_ROOTS, _CHILDREN = 100, 1000
"""Most workflows to delete at once, and most of their children."""
_OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_log = logging.getLogger(__name__)


async def sweep_hourly(services: Services) -> None:
    """Sweep from time to time, until cancelled."""
    while True:
        await asyncio.sleep(_EVERY * random.uniform(0.1, 1.0))
        try:
            await sweep(services)
        except (DatabaseError, SQLAlchemyError, OSError) as error:
            _log.warning(
                "could not delete finished workflows (%s); trying again later", type(error).__name__
            )


async def sweep(services: Services, *, kept: dt.timedelta = KEPT) -> int:
    """Delete finished workflows with their children, and return how many there were.

    Args:
        services: The process's services.
        kept: How long to keep one.

    Raises:
        DatabaseError: The database failed.
    """
    before = (dt.datetime.now(dt.UTC) - kept).isoformat()
    swept = 0
    async with queue_client(services) as client:
        await _cancel_forgotten(services, client, before)
        while roots := await _ids(
            client, status=_OVER, has_parent=False, completed_before=before, limit=_ROOTS
        ):
            while pieces := await _ids(client, parent_workflow_id=roots, limit=_CHILDREN):
                await client.delete_workflows_async(pieces)
                swept += len(pieces)
            await client.delete_workflows_async(roots)
            swept += len(roots)
    return swept


async def _cancel_forgotten(services: Services, client: DBOSClient, before: str) -> None:
    """Cancel queued workflows whose job was deleted or has ended."""
    waiting = await _ids(client, name=RUN, status="ENQUEUED", end_time=before)
    async with services.engine.connect() as connection:
        for workflow in waiting:
            job_id, _, attempt = workflow.rpartition("-")
            if not await is_running(connection, job_id, int(attempt)):
                await client.cancel_workflow_async(workflow, cancel_children=True)


async def _ids(client: DBOSClient, **which: object) -> list[str]:
    found = await client.list_workflows_async(**which, load_input=False, load_output=False)  # pyright: ignore[reportArgumentType]
    return [one.workflow_id for one in found]
