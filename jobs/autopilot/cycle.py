"""A cycle of an autopilot: it looks at its domain, decides, and begins one step at most."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ...errors import InputError
from ...knowledge.autopilot.autopilots import find_autopilot, set_autopilot_state, store_decision
from ...knowledge.autopilot.counted_rewards import keep_counted_rewards
from ...operations.autopilot.view import observe
from ...operations.database import find_run_domain, in_domain
from ...policies.autopilot.decision import Action, Decision, decide
from ...policies.autopilot.plan import AutopilotPlan
from ...runtime.context import Context
from ...runtime.options import resolve_context
from .actions import begin

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cycle:
    """What a cycle has done.

    Attributes:
        state: The state of the autopilot.
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
    found = await find_run_domain(options)
    # No transaction is held meanwhile: the step opens its own, on connections that may be few.
    async with options.services.locks.alone(f"autopilot of {found.id}") as mine:
        return await _cycle(context, decides=mine)


async def _cycle(context: Context, *, decides: bool) -> Cycle:
    options = await resolve_context(context)
    if decides:
        async with in_domain(options, write=True) as (connection, domain):
            await keep_counted_rewards(connection, domain.id, options.model)
    async with in_domain(options) as (connection, domain):
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
    async with in_domain(options, write=True) as (connection, domain):
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
