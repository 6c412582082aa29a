"""Turns autopilots on and off, and runs their cycles: each looks, decides, and begins one step."""

from __future__ import annotations

import asyncio
import logging
import shlex
from dataclasses import dataclass, replace

from ..errors import InputError
from ..knowledge.autopilots import (
    Autopilot,
    find_autopilot,
    set_autopilot_state,
    store_autopilot,
    store_decision,
)
from ..knowledge.counted_rewards import keep_counted_rewards
from ..knowledge.domains import Domain
from ..knowledge.keys import hold_key
from ..llm.prices import call_cost
from ..operations.autopilot.manage import shown, unchanged
from ..operations.autopilot.results import AutopilotShown
from ..operations.autopilot.view import observe
from ..operations.database import in_domain
from ..operations.said_by import by
from ..policies.autopilot.decision import Action, Decision, decide
from ..policies.autopilot.plan import AutopilotPlan
from ..runtime.context import Context
from ..runtime.options import RunOptions, resolve_context
from .schedules import add_schedule, check_times, find_schedule, remove_schedule
from .steps import begin

_log = logging.getLogger(__name__)
_SCHEDULE = "autopilot-{}"
_EVERY = "*/15 * * * *"
"""When cycles are due, as five fields of cron."""


async def turn_on(
    context: Context, plan: AutopilotPlan, *, domain: str | None = None, cron: str | None = None
) -> AutopilotShown:
    """Turn a domain's autopilot on, or give it another plan.

    Args:
        context: The run's options.
        plan: What it may spend, and how it goes about its steps.
        domain: The catalogue; `None` takes the context's.
        cron: When it looks, as five fields of cron, in UTC; `None` for every 15 minutes.

    Raises:
        Re2llmError: It is held, a model has no price, or the cron cannot be used.
    """
    options = await resolve_context(context)
    options.require_model()
    cron = cron or _EVERY
    await asyncio.to_thread(check_times, cron)
    if plan.usd_per_day is not None:
        _require_prices(options)
    async with in_domain(options, domain) as (connection, found):
        _refuse_held(await find_autopilot(connection, found.id))
        await hold_key(connection, options.key_id)
    within = replace(context, domain=found.name)
    schedule = _SCHEDULE.format(found.name)
    await _unschedule(within, schedule)
    await add_schedule(within, "autopilot", cron, name=schedule, cycles=True)
    async with in_domain(options, found.name, write=True) as (connection, found):
        await hold_key(connection, options.key_id)  # first, as revoking it does: else they deadlock
        _refuse_held(await find_autopilot(connection, found.id, alone=True))  # by now, it may be
        await store_autopilot(connection, found.id, plan.as_dict(), schedule, key_id=options.key_id)
        await store_decision(connection, found.id, "on", "asked", by(options, "turned on"))
        return await shown(connection, found, options)


async def turn_off(context: Context, *, domain: str | None = None) -> AutopilotShown:
    """Turn a domain's autopilot off: its running step makes no further call. A rollout goes on.

    One that is off stays off, and `says` tells so.

    Args:
        context: The run's options.
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: There is no such catalogue.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        before = await find_autopilot(connection, found.id, alone=True)
        was_on = before is not None and before.state != "off"
        if was_on:
            await set_autopilot_state(connection, found.id, "off")
            await store_decision(connection, found.id, "off", "asked", by(options, "turned off"))
        result = await shown(connection, found, options)
    # Also where it was off: one that was turned on beside may have left its schedule.
    await unschedule(replace(context, domain=found.name))
    return result if was_on else unchanged(result)


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
        _require_on(await find_autopilot(connection, found.id), found)
    await cycle(replace(context, domain=found.name))
    async with in_domain(options, found.name) as (connection, found):
        return await shown(connection, found, options)


@dataclass(frozen=True, slots=True)
class Cycle:
    """What a cycle has done.

    Attributes:
        state: Of the autopilot.
        decision: What it has decided; `None` if it was not its turn.
        job: The job that it has submitted.
    """

    state: str
    decision: Decision | None = None
    job: str | None = None


async def cycle(context: Context) -> Cycle:
    """Run one cycle of the run's domain, as `run_once` does.

    Raises:
        Re2llmError: There is no such domain, or the database failed.
    """
    options = await resolve_context(context)
    async with in_domain(options, None) as (_, found):
        pass
    # No transaction is held meanwhile: the step opens its own, on connections that may be few.
    async with options.services.locks.alone(f"autopilot of {found.id}") as mine:
        return await _cycle(context, decides=mine)


async def _cycle(context: Context, *, decides: bool) -> Cycle:
    options = await resolve_context(context)
    if decides:
        async with in_domain(options, None, write=True) as (connection, domain):
            await keep_counted_rewards(connection, domain.id, options.model)
    async with in_domain(options, None) as (connection, domain):
        autopilot = await find_autopilot(connection, domain.id)
        if autopilot is None or autopilot.state != "on" or not decides:
            return Cycle("off" if autopilot is None else autopilot.state)
        plan = AutopilotPlan.from_dict(autopilot.plan)
        seen = await observe(connection, autopilot, options)
    decision = decide(plan, seen)
    try:
        decision, job = await begin(decision, seen, plan, context, key_id=autopilot.key_id)
    except InputError as error:
        words = f"It could not {decision.action.value.replace('_', ' ')}: {error}"
        decision, job = Decision(Action.HOLD, "step_failed", words), None
    async with in_domain(options, None, write=True) as (connection, domain):
        now = await find_autopilot(connection, domain.id, alone=True)
        state = "off" if now is None else now.state
        if state != "on" and decision.action in {Action.WAIT, Action.HOLD}:
            return Cycle(state)  # a person was faster
        if decision.action is Action.HOLD:
            state = "held"
            await set_autopilot_state(connection, domain.id, state)
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
    return Cycle(state, decision, job)


async def unschedule(context: Context) -> None:
    """Remove the schedule of the cycles of the run's domain, if it is there."""
    options = await resolve_context(context)
    await _unschedule(context, _SCHEDULE.format(options.domain))


async def _unschedule(context: Context, name: str) -> None:
    known = await find_schedule(context, name)
    if known is not None and known.kind == "autopilot":
        await remove_schedule(context, name)


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


def _require_prices(options: RunOptions) -> None:
    for model in (options.model, options.reflect_model):
        if call_cost(options.settings.prices, model, 0, 0) is None:
            raise InputError(
                "usd_per_day",
                f"RE2LLM_PRICES has no price for {model!r}.",
                "Set it, or limit the calls by `calls_per_day`.",
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
