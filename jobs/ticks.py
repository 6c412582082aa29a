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

from ..errors import InputError
from ..knowledge.domains import find_domain
from ..knowledge.jobs import list_jobs
from ..knowledge.keys import find_key
from ..runtime.context import Context
from ..runtime.sharing import shared_services
from .queues import queue_client
from .submit import submit

_log = logging.getLogger(__name__)


async def submit_tick(planned: dt.datetime, given: Mapping[str, Any]) -> None:
    """Submit the job of a tick.

    Of ticks that were missed while no worker ran, only the last one does; and none while the
    schedule's last job still runs. If the domain was deleted, or the API key that made the schedule
    was revoked or opens it no more, the schedule is deleted, too.

    Args:
        planned: When the tick was due.
        given: `name`, `cron`, `zone`, `kind`, `domain`, `number`, `arguments`, `limits` and `key`
            of the schedule.
    """
    if next_tick(given["cron"], given["zone"], planned) <= dt.datetime.now(dt.UTC):
        return
    services = await shared_services()
    async with services.engine.connect() as connection:
        there = await _is_there(connection, given)
        running = await list_jobs(connection, domain=given["domain"], state="running")
        key_id = given.get("key")
        key = await find_key(connection, key_id) if key_id else None
    works = key_id is None or (
        key is not None and key.revoked_at is None and given["domain"] in key.domains
    )
    if not (there and works):
        _log.warning("schedule %s is deleted: its domain or its API key is gone", given["name"])
        async with queue_client(services) as client:
            await asyncio.to_thread(client.delete_schedule, given["name"])
        return
    if any(job.schedule == given["name"] for job in running):
        return
    digest = hashlib.sha256(f"{given['name']} {planned.isoformat()}".encode()).hexdigest()
    await submit(
        Context(domain=given["domain"]),
        given["kind"],
        given["arguments"],
        **given["limits"],
        schedule=given["name"],
        job_id=f"{given['kind']}-{digest[:8]}",
        key_id=key_id,
    )


async def _is_there(connection: AsyncConnection, given: Mapping[str, Any]) -> bool:
    """Return whether there still is the catalogue that a schedule was made for."""
    try:
        domain = await find_domain(connection, given["domain"])
    except InputError:
        return False
    return domain.id == given.get("number", domain.id)


def next_tick(cron: str, zone: str, after: dt.datetime) -> dt.datetime:
    """Return when a schedule is due after some time."""
    start = after.astimezone(ZoneInfo(zone))
    return croniter(cron, start, second_at_beginning=True).get_next(dt.datetime)
