"""Schedules: jobs that are submitted at certain times, by whichever worker is up."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, get_args
from zoneinfo import available_timezones

from croniter import CroniterBadDateError, croniter
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge.domains import find_domain
from ...knowledge.jobs.jobs import FilelessKind
from ...knowledge.texts import storable
from ...operations.database import connected
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..kinds.registry import JobKind, check_activates
from ..queue.dbos_client import queue_client
from .stored import store_schedule
from .ticks import next_tick

SCHEDULED = get_args(FilelessKind)
_LONGEST = 200
_FIELDS = 5  # others that croniter takes hold seconds and years
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
"""Time zones that are files of one machine: on another worker they mean another time, or none."""
_DRAWN = re.compile(r"(?i)(?<![a-z])[hr](?![a-z])")
"""Fields that croniter would draw anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule.

    Attributes:
        name: Its own, once in a database.
        kind: The kind of its jobs.
        domain: The domain's name.
        cron: When, as five fields of cron.
        zone: The time zone.
        next_at: When next, as ISO 8601.
        arguments: What its jobs are told beside their limits.
    """

    name: str
    kind: str
    domain: str
    cron: str
    zone: str
    next_at: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON primitives."""
        return asdict(self)


async def add_schedule(
    context: Context,
    kind: JobKind,
    cron: str,
    *,
    zone: str = "UTC",
    name: str | None = None,
    limits: Mapping[str, float | None] | None = None,
    arguments: Mapping[str, Any] | None = None,
    cycles: bool = False,
    connection: AsyncConnection | None = None,
) -> Schedule:
    """Submit a job at certain times from now on.

    Args:
        context: Names the domain.
        kind: The kind of the jobs.
        cron: When, as five fields of cron.
        zone: The time zone.
        name: The schedule's; `None` takes kind and domain.
        limits: The limits of each job, as for `submit`.
        arguments: The arguments of each job, likewise; they are checked when it is submitted.
        cycles: Whether it is of an autopilot, whose cycles nothing else schedules.
        connection: A connection in a transaction that changes more; `None` opens one.

    Raises:
        InputError: The cron, the zone or the kind cannot be used, or the name is taken.
    """
    if kind not in SCHEDULED and not cycles:
        raise InputError(
            "kind", f"{kind!r} cannot be scheduled.", f"Choose from {', '.join(SCHEDULED)}."
        )
    check_activates(kind, arguments or {})
    await asyncio.to_thread(check_times, cron, zone)
    if name is not None and not (storable(name) and 0 < len(name) <= _LONGEST):
        raise InputError("name", f"It has 1 to {_LONGEST} characters.", "Such as train-films.")
    options = await resolve_context(context)
    now = dt.datetime.now(dt.UTC)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(queue_client(options.services))
        if connection is None:
            connection = await stack.enter_async_context(connected(options, write=True))
        domain = await find_domain(connection, options.domain, among=options.domains)
        given = {
            "name": name or f"{kind}-{domain.name}",
            "kind": kind,
            "domain": domain.name,
            "number": domain.id,  # another domain may get its name
            "cron": cron,
            "zone": zone,
            "arguments": dict(arguments or {}),
            "limits": dict(limits or {}),
            "key": None if cycles else options.key_id,  # an autopilot has its own
        }
        await store_schedule(connection, client, given, now)
    return _schedule(given, now)


def check_times(cron: str, zone: str = "UTC") -> None:
    """Refuse times that cannot be kept.

    Raises:
        InputError: The cron or the zone cannot be used.
    """
    fields = cron.split()
    known = len(fields) == _FIELDS and croniter.is_valid(cron)
    if not known or any(_DRAWN.search(field) for field in fields):
        raise InputError("cron", f"{cron!r} is not five fields of cron.", 'Such as "0 3 * * *".')
    if zone in _NO_ZONES or zone not in available_timezones():
        raise InputError("timezone", f"There is no time zone {zone!r}.", "Such as Europe/Berlin.")
    try:
        next_tick(cron, zone, dt.datetime.now(dt.UTC))
    except CroniterBadDateError as error:
        raise InputError(
            "cron", f"{cron!r} is never due.", 'Such as "0 3 * * *", each night.'
        ) from error


async def list_schedules(context: Context) -> list[Schedule]:
    """Return the schedules of the domains that the caller may know of, by name."""
    options = await resolve_context(context)
    now = dt.datetime.now(dt.UTC)
    async with queue_client(options.services) as client:
        found = await asyncio.to_thread(client.list_schedules)
    known = [one["context"] for one in found if _is_known(options, one)]
    return sorted((_schedule(one, now) for one in known), key=lambda one: one.name)


async def remove_schedule(context: Context, name: str) -> None:
    """Remove a schedule; jobs that it has submitted stay.

    Raises:
        InputError: There is none of this name that the caller may know of, or it is an autopilot's,
            which would be on and do nothing.
    """
    options = await resolve_context(context)
    async with queue_client(options.services) as client:
        found = await asyncio.to_thread(client.get_schedule, name) if storable(name) else None
        if found is None or not _is_known(options, found):
            raise InputError(
                "name", f"There is no schedule {name!r}.", "`re2llm jobs schedules` lists all."
            )
        if found["context"]["kind"] == "autopilot":
            domain = shlex.quote(found["context"]["domain"])
            raise InputError(
                "name",
                f"{name!r} is the autopilot's.",
                f"`re2llm autopilot off --domain {domain}` removes it.",
            )
        await asyncio.to_thread(client.delete_schedule, name)


def _is_known(options: RunOptions, schedule: Mapping[str, Any]) -> bool:
    return options.domains is None or schedule["context"]["domain"] in options.domains


def _schedule(given: Mapping[str, Any], now: dt.datetime) -> Schedule:
    due = next_tick(given["cron"], given["zone"], now)
    names = ("name", "kind", "domain", "cron", "zone", "arguments")
    return Schedule(**{name: given[name] for name in names}, next_at=due.isoformat())
