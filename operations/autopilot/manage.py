"""Shows an autopilot, and lets it go on after a hold."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge.access.keys import hold_key
from ...knowledge.autopilot.autopilots import (
    Autopilot,
    find_autopilot,
    let_go_on,
    list_decisions,
    store_decision,
)
from ...knowledge.autopilot.days import used_days
from ...knowledge.domains import Domain
from ...knowledge.jobs.schedules import has_cycles
from ...policies.autopilot.plan import AutopilotPlan
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..database import in_domain
from ..done_by import done_by
from .results import AutopilotDay, AutopilotDecision, AutopilotShown
from .view import live_reward_drift

_DAYS = 6
"""Days before today to show."""
_OFF = "`re2llm autopilot on --budget-calls 2000/day` turns it on."
_REMEDIES = {
    "drift": "Look at what people do now (`re2llm feedback`, new items, the model); the release "
    "keeps serving. `re2llm autopilot resume` goes on, and takes present reward as the measure.",
    "rollout_held": "End it with `re2llm policy canary --promote` or "
    "`re2llm policy canary --stop`, then `re2llm autopilot resume`.",
    "step_failed": "Change what it names, then `re2llm autopilot resume`.",
    "key_revoked": "`re2llm autopilot resume` goes on; `re2llm autopilot off` turns it off.",
    "job_failed": "`re2llm jobs show` tells more. Then `re2llm autopilot resume`.",
}


async def show_autopilot(
    context: Context, *, domain: str | None = None, most: int = 20
) -> AutopilotShown:
    """Show whether an autopilot is on, what it has decided and what it has spent.

    Args:
        context: The run's options.
        domain: Its name; `None` takes the context's.
        most: Decisions at most, the newest first.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        return await shown(connection, found, options, most=most)


async def resume_autopilot(context: Context, *, domain: str | None = None) -> AutopilotShown:
    """Let a held autopilot go on; one that is on stays on, and `says` tells so.

    After a drop of reward, the reference for the release is measured again.

    Args:
        context: The run's options.
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: It is off.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        await hold_key(connection, options.key_id)
        autopilot = await find_autopilot(connection, found.id, alone=True)
        state = "off" if autopilot is None else autopilot.state
        if state == "off":
            raise InputError("domain", f"The autopilot of {found.name!r} is off.", _OFF)
        if state == "on":
            return unchanged(await shown(connection, found, options))
        [last] = await list_decisions(connection, found.id, 1)
        await let_go_on(
            connection, found.id, after_drop=last["reason"] == "drift", key_id=options.key_id
        )
        await store_decision(connection, found.id, "resume", "asked", done_by(options, "resumed"))
        return await shown(connection, found, options)


def unchanged(shown: AutopilotShown) -> AutopilotShown:
    """Return an autopilot that was in the wanted state before, which it says."""
    says = f"It was {shown.state} before; nothing has changed. {shown.says}".strip()
    return shown.model_copy(update={"says": says})


async def shown(
    connection: AsyncConnection, domain: Domain, options: RunOptions, *, most: int = 20
) -> AutopilotShown:
    """Return an autopilot as people and programs see it."""
    autopilot = await find_autopilot(connection, domain.id)
    listed = await list_decisions(connection, domain.id, most)
    decisions = [AutopilotDecision.model_validate(one) for one in listed]
    if autopilot is None:
        return AutopilotShown(
            domain=domain.name,
            state="off",
            says=_OFF,
            remedy="",
            plan=None,
            schedule=None,
            reward=None,
            days=[],
            decisions=decisions,
        )
    plan = AutopilotPlan.from_dict(autopilot.plan)
    reward = None
    if autopilot.state != "off":  # it reads the log
        reward = (await live_reward_drift(connection, autopilot, options)).as_dict()
    last = decisions[0] if decisions else None
    says, remedy = await _says(connection, autopilot, last)
    return AutopilotShown(
        domain=domain.name,
        state=autopilot.state,
        says=says,
        remedy=remedy,
        plan=plan.as_dict(),
        schedule=autopilot.schedule if autopilot.state != "off" else None,
        reward=reward,
        days=[
            AutopilotDay(
                day=use.day.isoformat(),
                llm_calls=use.calls,
                max_llm_calls=plan.calls_per_day,
                cost=round(use.spent, 6),
                reserved=round(use.reserved, 6),
                max_cost=plan.usd_per_day,
            )
            for use in await used_days(connection, domain.id, _DAYS)
        ],
        decisions=decisions,
    )


async def _says(
    connection: AsyncConnection, autopilot: Autopilot, last: AutopilotDecision | None
) -> tuple[str, str]:
    """Return in words how an autopilot is, and what to do about it."""
    if autopilot.state == "off":
        return _OFF, ""
    if autopilot.state == "on" and not await has_cycles(
        connection, autopilot.domain_id, autopilot.schedule
    ):
        return (
            f"Its schedule {autopilot.schedule!r} is missing, so no cycle runs.",
            "`re2llm autopilot on --budget-calls 2000/day`, or with another plan, makes it again.",
        )
    if last is None:
        return "", ""
    if autopilot.state == "held":
        return f"Held: {last.words}", _REMEDIES.get(last.reason, "`re2llm autopilot resume`")
    return last.words, ""
