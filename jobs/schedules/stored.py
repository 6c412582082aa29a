"""Schedules where DBOS keeps them, read and changed in a transaction of ours."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from dbos import DBOSClient
from dbos._error import DBOSException
from dbos._sys_db import SystemDatabase, WorkflowSchedule
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ..queue.dbos_client import APP, JOBS, JSON, TICK


async def stored_schedule(
    connection: AsyncConnection, client: DBOSClient, name: str
) -> dict[str, Any] | None:
    """Return what a schedule was made with, if there is one of this name."""
    found = await connection.run_sync(
        lambda plain: _within(plain, client).get_schedule(name, plain)
    )
    return None if found is None else JSON.deserialize(found["context"])


async def store_schedule(
    connection: AsyncConnection, client: DBOSClient, given: Mapping[str, Any], now: dt.datetime
) -> None:
    """Store a schedule. Of those that get one name at the same time, the first stays.

    Args:
        connection: A connection in a transaction, which is lost if the name is taken.
        client: A client of the queues.
        given: What its ticks are given: `name`, `cron`, `zone` and more.
        now: The time from which it is due.

    Raises:
        InputError: The name is taken.
    """
    name = given["name"]
    taken = InputError(
        "name", f"There is a schedule {name!r}.", f"`re2llm jobs unschedule {name}`."
    )
    if await stored_schedule(connection, client, name) is not None:
        raise taken
    row = WorkflowSchedule(
        schedule_id=str(uuid.uuid4()),
        schedule_name=name,
        workflow_name=TICK,
        workflow_class_name=None,
        schedule=given["cron"],
        status="ACTIVE",
        context=JSON.serialize(dict(given)),
        # Else a tick that no worker was up for would be missed, if it is the first.
        last_fired_at=now.isoformat(),
        automatic_backfill=True,
        cron_timezone=given["zone"],
        queue_name=JOBS,
        application_name=APP,
        shard_key=None,
    )
    try:
        await connection.run_sync(lambda plain: _within(plain, client).create_schedule(row, plain))
    except DBOSException as error:  # by another, just now
        raise taken from error


async def drop_schedule(connection: AsyncConnection, client: DBOSClient, name: str) -> None:
    """Delete a schedule, if it is there.

    Args:
        connection: A connection in a transaction.
        client: A client of the queues.
        name: The name of the schedule.
    """
    await connection.run_sync(lambda plain: _within(plain, client).delete_schedule(name, plain))


def _within(plain: Connection, client: DBOSClient) -> SystemDatabase:
    """Return what works on DBOS's tables, once it finds them over a connection of ours."""
    database = client._sys_db  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    database._apply_caller_schema(plain)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return database
