"""DBOS in the user's own database: its schema, its queues, and a client that takes no work.

Nothing here is imported by commands that use no jobs: importing DBOS takes half a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import DatabaseError
from ..knowledge.engine import database_url, make_sync_engine, unreachable
from ..runtime.services import Services

APP = "re2llm"
SCHEMA = "re2llm_jobs"
JOBS, PIECES = "jobs", "pieces"
"""Queues: of what plans and sums up, and of what does the work."""
RUN, PIECE, TICK = "run", "piece", "tick"
"""Workflows."""
POLL = 0.2
"""Seconds between two looks at a queue, or at a piece."""
JSON = DBOSPortableJSONSerializer()
"""How rows of the queues are written: by default DBOS pickles them."""

logging.getLogger("dbos").setLevel(logging.ERROR)


@asynccontextmanager
async def queue_client(services: Services) -> AsyncGenerator[DBOSClient]:
    """Yield a client of the queues, whose schema is brought up to date first.

    Raises:
        DatabaseError: The database cannot be reached, or the schema cannot be made.
    """
    url = await asyncio.to_thread(database_url, services.settings)
    engine = make_sync_engine(url, services.settings, pool_size=2)
    client: DBOSClient | None = None
    try:
        client = await asyncio.to_thread(
            lambda: DBOSClient(
                system_database_engine=engine,
                dbos_system_schema=SCHEMA,
                serializer=JSON,
                application_name=APP,
                retry_connection_errors=False,
            )
        )
        await asyncio.to_thread(_migrate, client)
        yield client
    except SQLAlchemyError as error:
        raise unreachable(services.engine, error) from error
    finally:
        if client is not None:
            await asyncio.to_thread(client.destroy)
        await asyncio.to_thread(engine.dispose)


def _migrate(client: DBOSClient) -> None:
    try:
        # The public function would make the schema with LISTEN/NOTIFY, which poolers break.
        client._sys_db.run_migrations()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DatabaseError(
            "RE2LLM_DATABASE_URL",
            f"The schema {SCHEMA}, which holds the jobs' progress, cannot be made ({said}).",
            "Let the role create it, or have its owner run `re2llm worker` once.",
        ) from error


async def enqueue(
    connection: AsyncConnection, client: DBOSClient, job_id: str, attempt: int, version: str
) -> None:
    """Enqueue an attempt of a job; twice does nothing.

    Args:
        connection: In the transaction that stores the job, so that neither is there alone.
        version: Of the code that may run it.
    """
    options = EnqueueOptions(
        workflow_name=RUN,
        queue_name=JOBS,
        workflow_id=f"{job_id}-{attempt}",
        app_version=version,
    )

    def store(plain: Connection) -> None:
        client.enqueue_in_transaction(plain, options, job_id, attempt)

    await connection.run_sync(store)


async def cancel(client: DBOSClient, workflow: str) -> None:
    """Take a workflow and its pieces off the queues; what is in flight ends at its next call."""
    await client.cancel_workflow_async(workflow, cancel_children=True)


async def pieces_done(client: DBOSClient, workflow: str) -> int:
    """Return how many pieces of a workflow are done."""
    done = await client.list_workflows_async(
        parent_workflow_id=workflow, status="SUCCESS", load_input=False, load_output=False
    )
    return len(done)
