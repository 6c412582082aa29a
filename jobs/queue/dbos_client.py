"""DBOS in the user's own database: its schema, its queues, and a client that takes no work.

Nothing here is imported by commands that use no jobs: importing DBOS takes half a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...errors import DatabaseError
from ...knowledge.engine import database_url, make_sync_engine, unreachable
from ...knowledge.jobs.schedules import SCHEMA
from ...knowledge.server_requirements import grants, may_read, wants_owner
from ...runtime.services import Services

APP = "re2llm"
JOBS, PIECES = "jobs", "pieces"
"""Queues: one for jobs, which plan and hand out pieces, and one for the work, last steps
included."""
RUN, PIECE, LAST, TICK = "run", "piece", "last", "tick"
"""Workflows."""
POLL = 0.2
"""Seconds between two checks of a queue or a piece."""
JSON = DBOSPortableJSONSerializer()
"""Format of the queues' rows: by default DBOS pickles them."""

_CONNECTIONS = 2
"""A client's database connections."""

logging.getLogger("dbos").setLevel(logging.ERROR)


@dataclass
class _Shared:
    """A client of all who need one at the same time: each has connections beside the pool's.

    Attributes:
        opened: Ends once it is open.
        users: How many need it.
    """

    opened: asyncio.Task[tuple[Engine, DBOSClient]]
    users: int = 0


_shared: WeakKeyDictionary[AsyncEngine, _Shared] = WeakKeyDictionary()


@asynccontextmanager
async def queue_client(services: Services) -> AsyncGenerator[DBOSClient]:
    """Yield a client of the queues, whose schema is brought up to date first.

    Raises:
        DatabaseError: The database cannot be reached, or the schema cannot be made.
    """
    shared = _shared.get(services.engine)
    if shared is None or (shared.opened.done() and _failed(shared.opened)):
        shared = _shared[services.engine] = _Shared(asyncio.create_task(_open(services)))
    shared.users += 1
    try:
        # One request's cancellation must not cancel the opening that others wait for.
        _, client = await asyncio.shield(shared.opened)
        yield client
    except SQLAlchemyError as error:
        ours = SCHEMA in str(getattr(error, "statement", ""))
        if ours and shared.opened.done() and not _failed(shared.opened):
            await asyncio.to_thread(_require_rights, shared.opened.result()[0], error)
        raise unreachable(services.engine, error) from error
    finally:
        shared.users -= 1
        if not shared.users:
            if _shared.get(services.engine) is shared:
                del _shared[services.engine]
            await asyncio.shield(_close(shared.opened))


def _failed(opened: asyncio.Task[tuple[Engine, DBOSClient]]) -> bool:
    return opened.cancelled() or opened.exception() is not None


async def _open(services: Services) -> tuple[Engine, DBOSClient]:
    url = await asyncio.to_thread(database_url, services.settings)
    engine = make_sync_engine(url, services.settings, pool_size=_CONNECTIONS)

    def open_client() -> DBOSClient:
        client = DBOSClient(
            system_database_engine=engine,
            dbos_system_schema=SCHEMA,
            serializer=JSON,
            application_name=APP,
            retry_connection_errors=False,
        )
        try:
            _migrate(client)
        except BaseException:
            client.destroy()
            raise
        return client

    try:
        return engine, await asyncio.to_thread(open_client)
    except BaseException:
        await asyncio.to_thread(engine.dispose)
        raise


async def _close(opened: asyncio.Task[tuple[Engine, DBOSClient]]) -> None:
    await asyncio.wait([opened])
    if _failed(opened):
        return
    engine, client = opened.result()
    await asyncio.to_thread(client.destroy)
    await asyncio.to_thread(engine.dispose)


def _migrate(client: DBOSClient) -> None:
    database = client._sys_db  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    try:
        # The public function would make the schema with LISTEN/NOTIFY, which poolers break.
        database.run_migrations()
    except SQLAlchemyError as error:
        _require_rights(database.engine, error)
        said = _said(error)
        raise DatabaseError(
            "RE2LLM_DATABASE_URL",
            f"The schema {SCHEMA}, which holds the jobs' progress, cannot be made ({said}).",
            "Let the role create it, or have its owner run `re2llm worker` once.",
        ) from error


def _require_rights(engine: Engine, error: SQLAlchemyError) -> None:
    """Say what a role lacks where the schema is there, if it is that which an error is about.

    Raises:
        DatabaseError: It is.
    """
    refused = getattr(error, "orig", None)
    if not isinstance(refused, InsufficientPrivilege):
        return
    with engine.connect() as connection:
        role = connection.scalar(text("SELECT quote_ident(current_user)"))
        readable = may_read(connection, SCHEMA)
    if readable is not None and not wants_owner(str(refused), may_read=readable):
        raise DatabaseError(
            "RE2LLM_DATABASE_URL",
            f"The role {role} may not use the tables in schema {SCHEMA} ({_said(error)}).",
            f"Have their owner run: {grants(SCHEMA, role)}",
        ) from error


def _said(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


async def enqueue(
    connection: AsyncConnection, client: DBOSClient, job_id: str, attempt: int, version: str
) -> None:
    """Enqueue an attempt of a job; twice does nothing.

    Args:
        connection: A connection in the transaction that stores the job, so that both are stored or
            neither.
        version: The version of the code that may run it.
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


async def pieces_done(client: DBOSClient, workflows: Sequence[str]) -> Counter[str | None]:
    """Return how many pieces of each workflow are done, in one query for all."""
    done = await client.list_workflows_async(
        parent_workflow_id=list(workflows), status="SUCCESS", load_input=False, load_output=False
    )
    return Counter(piece.parent_workflow_id for piece in done)
