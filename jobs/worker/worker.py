"""A worker: takes pieces of jobs until it is told to stop, and those of workers that are gone."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Callable

from dbos import DBOS
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ...errors import InputError, PoolerError
from ...knowledge.jobs.jobs import other_versions
from ...records import counted
from ...runtime.services import Services
from ...runtime.sharing import shared_services
from ..queue.code_version import code_version
from ..queue.dbos_client import POLL, queue_client
from ..queue.liveness import Pulse, gone
from . import workflows
from .launch import launch

_LOOK = 2.0
"""Seconds between two looks at the other workers; one that is gone at two of them is given up."""
_PATIENCE = 20.0
"""Seconds to wait for a second connection."""
_DRAIN = 60.0
"""Seconds for which pieces in flight may go on when the worker is told to stop."""

Say = Callable[[str], None]


async def work(*, concurrency: int, stop: asyncio.Event, say: Say) -> None:
    """Do pieces of jobs until told to stop.

    Args:
        concurrency: Pieces at the same time.
        stop: Set to stop: pieces in flight are finished, and no other is taken.
        say: Called with a line about each event.

    Raises:
        InputError: Jobs of another version of the code are running.
        DatabaseError: The database cannot be reached, or the schema cannot be made.
        PoolerError: There is no connection beside the one that tells that this worker lives.
    """
    services = await shared_services()
    version = await asyncio.to_thread(code_version)
    await _require_same(services, version)
    async with queue_client(services):
        pass  # the schema is there now, or the error is a clear one
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    pulse = Pulse(services.engine, name)
    await pulse.beat()
    try:
        await _require_second(services)
    except BaseException:
        await pulse.stop()
        raise
    workflows.leaving.clear()
    limit = await launch(services, name, version, concurrency)
    say(f"worker {name} takes pieces, {concurrency} at a time (version {version})")
    try:
        await _watch(services, pulse, name, version, stop, say)
        limit.most = 0
        await _drain(say)
    finally:
        workflows.leaving.set()
        await asyncio.shield(pulse.stop())
        await asyncio.to_thread(DBOS.destroy)


async def _require_second(services: Services) -> None:
    """Make sure that there is a connection beside that of the pulse, which is never given back."""
    try:
        async with asyncio.timeout(_PATIENCE), services.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except TimeoutError as error:
        raise PoolerError(
            "RE2LLM_DATABASE_URL",
            "The database or its pooler has no second connection for this worker.",
            "Raise the pooler's default_pool_size: a worker keeps one connection of it.",
        ) from error


async def _require_same(services: Services, version: str) -> None:
    async with services.engine.connect() as connection:
        others = await other_versions(connection, version)
    if others:
        raise InputError(
            "version",
            f"This worker is of version {version}, and running jobs are of {', '.join(others)}.",
            "Let workers of that version end them, or move them to this one with `re2llm jobs "
            "pause` and `re2llm jobs resume`.",
        )


async def _watch(
    services: Services, pulse: Pulse, name: str, version: str, stop: asyncio.Event, say: Say
) -> None:
    """Keep the lock, and take over what workers have left behind, until told to stop."""
    suspects: set[str] = set()
    said: set[str] = set()
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), _LOOK)
        except TimeoutError:
            pass
        else:
            return
        if not await pulse.beat():
            suspects.clear()  # the others may only have lost their connections too
            continue
        try:
            missing = await _missing(services, name)
            async with services.engine.connect() as connection:
                others = set(await other_versions(connection, version))
        except (OSError, SQLAlchemyError):
            suspects.clear()
            continue
        for worker in missing & suspects:
            recovered = await asyncio.to_thread(DBOS._recover_pending_workflows, [worker])  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            say(f"worker {worker} is gone; others take over {counted(len(recovered), 'piece')}")
        suspects = missing
        for other in others - said:
            say(f"leaves jobs of version {other} alone; this worker is of version {version}")
        said |= others


async def _missing(services: Services, name: str) -> set[str]:
    pending = await DBOS.list_workflows_async(
        status="PENDING", load_input=False, load_output=False, app_version=DBOS.application_version
    )
    executors = {one.executor_id for one in pending if one.executor_id} - {name}
    if not executors:
        return set()
    async with services.engine.connect() as connection:
        return await gone(connection, executors)


async def _drain(say: Say) -> None:
    in_flight = workflows.in_flight
    if in_flight:
        say(f"finishes {counted(len(in_flight), 'piece')} in flight")
    end = asyncio.get_running_loop().time() + _DRAIN
    while in_flight and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
        await asyncio.sleep(POLL)
