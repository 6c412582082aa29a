"""A worker: takes pieces of jobs until it is told to stop, and those of workers that are gone."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress

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
from . import in_flight
from .intake import Intake
from .launch import launch
from .sweep import sweep_hourly

_LOOK = 2.0
"""Seconds between two checks of the other workers; one that is gone twice is given up."""
_PATIENCE = 20.0
"""Seconds to wait for a second connection."""
_CLOSE = 5.0
"""Seconds to wait for a piece that is just being taken."""
_DRAIN = 60.0
"""Seconds that steps in flight may continue when the worker is told to stop."""
LONGEST_STOP = 80.0
"""Seconds after which a process that was told to stop may be ended by force.

Threads that compute, or wait for the database, cannot be stopped; systemd and others are patient
for 90 seconds.
"""

Say = Callable[[str], None]


async def work(*, concurrency: int, stop: asyncio.Event, say: Say) -> None:
    """Do pieces of jobs until told to stop.

    Args:
        concurrency: Pieces at the same time.
        stop: Set to stop: steps in flight are finished if they end soon, and no other is taken.
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
    in_flight.leaving.clear()
    try:
        await _require_second(services)
        async with queue_client(services):  # what the role may not do there is a clear error
            intake = await launch(services, name, version, concurrency)
    except BaseException:
        await pulse.stop()
        await asyncio.to_thread(DBOS.destroy)
        raise
    say(f"worker {name} takes pieces, {concurrency} at a time (version {version})")
    sweeping = asyncio.create_task(sweep_hourly(services))
    try:
        await _watch(services, pulse, name, version, stop, say)
        intake.close()
        await _drain(intake, say)
    finally:
        sweeping.cancel()
        in_flight.leaving.set()
        await intake.drop()
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


async def _drain(intake: Intake, say: Say) -> None:
    """Let steps end and be noted, so that nobody does them again; but not for long."""
    if in_flight.steps:
        say(f"finishes {counted(len(in_flight.steps), 'step')} in flight")
    await _until(lambda: intake.closed, _CLOSE)
    await _until(lambda: not (in_flight.steps or intake.pieces), _DRAIN)
    if in_flight.steps:
        say(f"leaves {counted(len(in_flight.steps), 'step')} to other workers")


async def _until(holds: Callable[[], bool], most: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(most):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(POLL)
