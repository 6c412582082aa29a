"""Turns the ticks of schedules into jobs."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError, ModelDownError, Re2llmError, is_retried
from ...knowledge.access.keys import find_key
from ...knowledge.domains import Domain, find_domain
from ...knowledge.jobs.jobs import find_job, forget_ended, list_jobs, store_job
from ...knowledge.texts import made_storable
from ...runtime.context import Context
from ...runtime.services import Services
from ...runtime.sharing import shared_services
from ..queue.code_version import code_version
from ..queue.dbos_client import queue_client
from ..queue.submit import Origin, submit

KEPT = 100
"""Jobs of a schedule that have ended are kept, the newest; a frequent one would leave thousands."""
_log = logging.getLogger(__name__)


async def submit_tick(planned: dt.datetime, given: Mapping[str, Any]) -> None:
    """Submit the job of a tick.

    Of ticks that were missed while no worker ran, only the last one does; and none while the
    schedule's last job still runs. Of those that have ended, the newest are kept. If the domain was
    deleted, or the API key that made the schedule was revoked or opens it no more, the schedule is
    deleted, too. A job that is refused is stored as one that has failed: nobody waits for the
    answer.

    Args:
        planned: When the tick was due.
        given: `name`, `cron`, `zone`, `kind`, `domain`, `number`, `arguments`, `limits` and `key`
            of the schedule.
    """
    if _repeats(given["cron"], planned.astimezone(ZoneInfo(given["zone"]))):
        return
    if next_tick(given["cron"], given["zone"], planned) <= dt.datetime.now(dt.UTC):
        return
    services = await shared_services()
    async with services.engine.connect() as connection:
        domain = await _catalogue(connection, given)
        running = await list_jobs(connection, domain=given["domain"], state="running")
        key_id = given.get("key")
        key = await find_key(connection, key_id) if key_id else None
    works = key_id is None or (
        key is not None and key.revoked_at is None and given["domain"] in key.domains
    )
    if domain is None or not works:
        _log.warning("schedule %s is deleted: its domain or its API key is gone", given["name"])
        await _delete_schedule(services, given)
        return
    if any(job.schedule == given["name"] for job in running):
        return
    async with services.engine.begin() as connection:
        await forget_ended(connection, domain.id, given["name"], kept=KEPT)
    digest = hashlib.sha256(f"{given['name']} {planned.isoformat()}".encode()).hexdigest()
    job_id = f"{given['kind']}-{digest[:8]}"
    try:
        await submit(
            Context(domain=domain.name),
            given["kind"],
            given["arguments"],
            **given["limits"],
            origin=Origin(schedule=given["name"], job_id=job_id, key_id=key_id),
        )
    except Re2llmError as error:
        if is_retried(error):
            raise
        await _store_refused(services, domain.id, job_id, given, error)


async def _delete_schedule(services: Services, given: Mapping[str, Any]) -> None:
    """Delete the schedule of a tick, but not another that has got its name since."""
    async with queue_client(services) as client:
        stored = await asyncio.to_thread(client.get_schedule, given["name"])
        if stored is None:
            return
        made = stored["context"]
        if all(made.get(name) == given[name] for name in ("number", "key") if name in given):
            await asyncio.to_thread(client.delete_schedule, given["name"])


async def _store_refused(
    services: Services, domain_id: int, job_id: str, given: Mapping[str, Any], error: Re2llmError
) -> None:
    reason = str(error.unquoted() if isinstance(error, ModelDownError) else error)
    _log.warning("the job of schedule %s was refused: %s", given["name"], reason)
    limits, version = given["limits"], await asyncio.to_thread(code_version)
    async with services.engine.begin() as connection:
        if await find_job(connection, job_id, sessions=False) is not None:
            return
        await store_job(
            connection,
            domain_id,
            id=job_id,
            kind=given["kind"],
            arguments=dict(given["arguments"]),  # unchecked; `retry` needs checked ones
            version=version,
            state="failed",
            reason=made_storable(reason),
            ended_at=dt.datetime.now(dt.UTC),
            max_calls=limits.get("max_llm_calls"),
            max_tokens=limits.get("max_tokens"),
            max_cost=limits.get("max_cost"),
            schedule=given["name"],
            key_id=given.get("key"),
        )


async def _catalogue(connection: AsyncConnection, given: Mapping[str, Any]) -> Domain | None:
    """Return the catalogue that a schedule was made for, if it is still there."""
    try:
        domain = await find_domain(connection, given["domain"])
    except InputError:
        return None
    return domain if domain.id == given.get("number", domain.id) else None


def next_tick(cron: str, zone: str, after: dt.datetime) -> dt.datetime:
    """Return when a schedule is due after some time."""
    ticks = croniter(cron, after.astimezone(ZoneInfo(zone)), second_at_beginning=True)
    while True:
        due = ticks.get_next(dt.datetime)
        if not _repeats(cron, due):
            return due


def _repeats(cron: str, due: dt.datetime) -> bool:
    """Return whether a tick is a nightly one's second, as clocks were put back in between.

    Args:
        cron: One that is due in every hour is due in the repeated one, too.
        due: The due time in the schedule's zone.
    """
    hours = croniter.expand(cron)[0][1]
    return due.fold == 1 and "*" not in hours
