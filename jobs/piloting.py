"""Turns autopilots on and off, and runs their cycles: each looks, decides, and begins one step."""

from __future__ import annotations

import logging
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.autopilots import (
    Autopilot,
    find_autopilot,
    set_autopilot_state,
    store_autopilot,
    store_decision,
)
from ..knowledge.domains import Domain
from ..llm.prices import call_cost
from ..operations.autopilot import by, shown
from ..operations.autopilot_results import AutopilotShown
from ..operations.autopilot_view import seen_by
from ..operations.database import in_domain
from ..policies.autopilot.decision import Action, Decision, decide
from ..policies.autopilot.plan import AutopilotPlan
from ..runtime.context import Context
from ..runtime.options import RunOptions, resolve_context
from .schedules import add_schedule, check_times, find_schedule, remove_schedule
from .steps import begin

_log = logging.getLogger(__name__)
EVERY = "*/15 * * * *"
"""When cycles are due, as five fields of cron."""


async def turn_on(
    context: Context, plan: AutopilotPlan, *, domain: str | None = None, cron: str = EVERY
) -> AutopilotShown:
    """Turn a domain's autopilot on, or give it another plan.

    Args:
        context: The run's options.
        plan: What it may spend, and how it goes about its steps.
        domain: The catalogue; `None` takes the context's.
        cron: When it looks, as five fields of cron, in UTC.

    Raises:
        Re2llmError: It is held, a model has no price, or the cron cannot be used.
    """
    options = await resolve_context(context)
    options.require_model()
    check_times(cron)
    if plan.usd_per_day is not None:
        _require_prices(options)
    async with in_domain(options, domain) as (connection, found):
        _refuse_held(await find_autopilot(connection, found.id))
    within = replace(context, domain=found.name)
    schedule = f"autopilot-{found.name}"
    await _unschedule(within, schedule)
    await add_schedule(within, "autopilot", cron, name=schedule, cycles=True)
    async with in_domain(options, found.name, write=True) as (connection, found):
        _refuse_held(await find_autopilot(connection, found.id, alone=True))  # by now, it may be
        await store_autopilot(connection, found.id, plan.as_dict(), schedule)
        await store_decision(connection, found.id, "on", "asked", by(options, "turned on"))
        return await shown(connection, found, options)


async def turn_off(context: Context, *, domain: str | None = None) -> AutopilotShown:
    """Turn a domain's autopilot off: its running step makes no further call. A rollout goes on.

    Args:
        context: The run's options.
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: It is off.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        autopilot = await _required(connection, found, alone=True)
        await set_autopilot_state(connection, found.id, "off")
        await store_decision(connection, found.id, "off", "asked", by(options, "turned off"))
        result = await shown(connection, found, options)
    within = replace(context, domain=found.name)
    await _unschedule(within, autopilot.schedule)
    return result


async def run_once(context: Context, *, domain: str | None = None) -> AutopilotShown:
    """Run one cycle: look at what is new, decide on the next step, begin it, and write it down.

    Of cycles of a domain at the same time, one runs; the others only show what there is. One that
    is killed changes nothing, or has begun its step; the next cycle sees which.

    Args:
        context: The run's options.
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: The autopilot is off, or the database failed.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        await _required(connection, found)
    within = replace(context, domain=found.name)
    # No transaction is held meanwhile: the step opens its own, on connections that may be few.
    async with options.services.locks.alone(f"autopilot of {found.id}") as mine:
        if mine:
            await _cycle(within)
    async with in_domain(options, found.name) as (connection, found):
        return await shown(connection, found, options)


async def _cycle(context: Context) -> None:
    options = await resolve_context(context)
    async with in_domain(options, None) as (connection, domain):
        autopilot = await find_autopilot(connection, domain.id)
        if autopilot is None or autopilot.state != "on":
            return
        plan = AutopilotPlan.from_dict(autopilot.plan)
        seen = await seen_by(connection, autopilot, options)
    decision = decide(plan, seen)
    decision, job = await begin(decision, seen, plan, context)
    async with in_domain(options, None, write=True) as (connection, domain):
        now = await find_autopilot(connection, domain.id, alone=True)
        begun = decision.action not in {Action.WAIT, Action.HOLD}
        if now is None or (now.state != "on" and not begun):
            return  # a person was faster
        if decision.action is Action.HOLD:
            await set_autopilot_state(connection, domain.id, "held")
        await store_decision(
            connection,
            domain.id,
            decision.action,
            decision.reason,
            decision.words,
            figures=seen.figures(),
            job=job,
        )
    _tell(domain.name, decision)


async def _unschedule(context: Context, name: str) -> None:
    known = await find_schedule(context, name)
    if known is not None and known.kind == "autopilot":
        await remove_schedule(context, name)


async def _required(
    connection: AsyncConnection, domain: Domain, *, alone: bool = False
) -> Autopilot:
    found = await find_autopilot(connection, domain.id, alone=alone)
    if found is None or found.state == "off":
        raise InputError(
            "domain",
            f"The autopilot of {domain.name!r} is off.",
            f"re2llm autopilot on --domain {domain.name} --budget-usd 5/day",
        )
    return found


def _refuse_held(known: Autopilot | None) -> None:
    if known is not None and known.state == "held":
        raise InputError("domain", "Its autopilot is held.", "`re2llm autopilot resume` goes on.")


def _require_prices(options: RunOptions) -> None:
    for model in (options.model, options.reflect_model):
        if call_cost(options.settings.prices, model, 0, 0) is None:
            raise InputError(
                "--budget-usd",
                f"RE2LLM_PRICES has no price for {model!r}.",
                "Set it, or limit the calls: --budget-calls 2000/day",
            )


def _tell(domain: str, decision: Decision) -> None:
    held = decision.action is Action.HOLD
    level = logging.WARNING if held else logging.INFO
    if decision.action is Action.WAIT:
        level = logging.DEBUG
    more = " `re2llm autopilot show` tells what to do." if held else ""
    _log.log(
        level,
        "autopilot of %s: %s (%s). %s%s",
        domain,
        decision.action.value,
        decision.reason,
        decision.words,
        more,
    )
