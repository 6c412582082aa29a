"""Turns autopilots on and off."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dbos import DBOSClient
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge.access.keys import hold_key
from ...knowledge.autopilot.autopilots import (
    Autopilot,
    find_autopilot,
    set_autopilot_state,
    store_autopilot,
    store_decision,
)
from ...knowledge.domains import Domain
from ...knowledge.jobs.schedules import change_alone
from ...llm.prices import require_prices
from ...operations.autopilot.manage import shown, unchanged
from ...operations.autopilot.results import AutopilotShown
from ...operations.database import in_domain
from ...operations.done_by import done_by
from ...policies.autopilot.plan import AutopilotPlan
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..queue.dbos_client import queue_client
from ..schedules.schedules import add_schedule, check_times
from ..schedules.stored import drop_schedule, stored_schedule
from .cycle import cycle

_SCHEDULE = "autopilot-{}"
_EVERY = "*/15 * * * *"
"""When cycles are due, as five cron fields."""


async def turn_on(
    context: Context, plan: AutopilotPlan, *, domain: str | None = None, cron: str | None = None
) -> AutopilotShown:
    """Turn a domain's autopilot on, or give it another plan.

    Args:
        context: The run's options.
        plan: What it may spend, and how it goes about its steps.
        domain: Its name; `None` takes the context's.
        cron: When it looks, as five fields of cron, in UTC; `None` changes nothing while it is
            on, and else means every 15 minutes.

    Raises:
        Re2llmError: It is held, a model has no price, or the cron cannot be used.
    """
    options = await resolve_context(context)
    options.require_model()
    if cron is not None:
        await asyncio.to_thread(check_times, cron)
    if plan.usd_per_day is not None:
        models = options.model, options.reflect_model
        require_prices(options.settings.prices, models, "usd_per_day", "calls_per_day")
    async with (
        queue_client(options.services) as client,
        in_domain(options, domain, write=True) as (connection, found),
    ):
        await hold_key(connection, options.key_id)  # first, as revoking it does: else they deadlock
        await change_alone(connection, found.id)
        _refuse_held(await find_autopilot(connection, found.id))
        schedule = await _schedule(connection, client, context, found, cron)
        _refuse_held(await find_autopilot(connection, found.id, alone=True))  # by now, it may be
        await store_autopilot(connection, found.id, plan.as_dict(), schedule, key_id=options.key_id)
        await store_decision(connection, found.id, "on", "asked", done_by(options, "turned on"))
        return await shown(connection, found, options)


async def turn_off(context: Context, *, domain: str | None = None) -> AutopilotShown:
    """Turn a domain's autopilot off: its running step makes no further call. A rollout continues.

    One that is off stays off, and `says` tells so.

    Args:
        context: The run's options.
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with (
        queue_client(options.services) as client,
        in_domain(options, domain, write=True) as (connection, found),
    ):
        await change_alone(connection, found.id)
        # Also where it is off: one that was killed may have left its schedule.
        await _unschedule(connection, client, found)
        before = await find_autopilot(connection, found.id, alone=True)
        was_on = before is not None and before.state != "off"
        if was_on:
            await set_autopilot_state(connection, found.id, "off")
            await store_decision(
                connection, found.id, "off", "asked", done_by(options, "turned off")
            )
        result = await shown(connection, found, options)
    return result if was_on else unchanged(result)


async def run_once(context: Context, *, domain: str | None = None) -> AutopilotShown:
    """Run one cycle: look at what is new, decide on the next step, begin it, and write it down.

    If several cycles of a domain run at once, only one decides; the others only show the state. A
    killed cycle has changed nothing or has begun its step; the next cycle sees which.

    Args:
        context: The run's options.
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: The autopilot is off, or the database failed.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        _require_on(await find_autopilot(connection, found.id), found)
    await cycle(replace(context, domain=found.name))
    async with in_domain(options, found.name) as (connection, found):
        return await shown(connection, found, options)


async def unschedule(context: Context) -> None:
    """Remove the schedule of the cycles of the run's domain, if its autopilot is off."""
    options = await resolve_context(context)
    async with (
        queue_client(options.services) as client,
        in_domain(options, write=True) as (connection, found),
    ):
        await change_alone(connection, found.id)
        autopilot = await find_autopilot(connection, found.id)
        if autopilot is None or autopilot.state == "off":
            await _unschedule(connection, client, found)


async def _unschedule(connection: AsyncConnection, client: DBOSClient, domain: Domain) -> None:
    name = _SCHEDULE.format(domain.name)
    if await _cycles(connection, client, name) is not None:
        await drop_schedule(connection, client, name)


async def _schedule(
    connection: AsyncConnection,
    client: DBOSClient,
    context: Context,
    domain: Domain,
    cron: str | None,
) -> str:
    """Have a domain looked at when it is due, and return the schedule's name."""
    name = _SCHEDULE.format(domain.name)
    known = await _cycles(connection, client, name)
    if known is not None:
        ours = known.get("number", domain.id) == domain.id
        if ours and cron in {None, known["cron"]}:
            return name
        await drop_schedule(connection, client, name)
    within = replace(context, domain=domain.name)
    await add_schedule(
        within, "autopilot", cron or _EVERY, name=name, cycles=True, connection=connection
    )
    return name


async def _cycles(
    connection: AsyncConnection, client: DBOSClient, name: str
) -> Mapping[str, Any] | None:
    """Return what the schedule of this name was made with, if it is an autopilot's."""
    known = await stored_schedule(connection, client, name)
    return known if known is not None and known["kind"] == "autopilot" else None


def _require_on(found: Autopilot | None, domain: Domain) -> None:
    if found is None or found.state == "off":
        raise InputError(
            "domain",
            f"The autopilot of {domain.name!r} is off.",
            f"`re2llm autopilot on --domain {shlex.quote(domain.name)} --budget-usd 5/day`",
        )


def _refuse_held(known: Autopilot | None) -> None:
    if known is not None and known.state == "held":
        raise InputError("domain", "Its autopilot is held.", "`re2llm autopilot resume` goes on.")
