"""`re2llm autopilot`: learning that goes on by itself, within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import InputError
from ..policies.rollout.plan import Goal, Plan, percentages, steps_text
from ..records import counted
from .console import fail, note, out, print_json, run
from .groups import CommandGroup
from .options import DomainOption, JsonOption

if TYPE_CHECKING:
    from ..operations.autopilot.results import AutopilotDay, AutopilotShown

    _Told = tuple[AutopilotShown, str]  # with a remark

autopilot = CommandGroup(
    help="Keep learning from feedback within a budget. Off by default.",
    no_args_is_help=True,
)
_PLAN = Plan()
_STEPS = steps_text(_PLAN.steps)


@autopilot.command("on")
def on(  # an option for each part of the plan
    domain: DomainOption = None,
    usd_per_day: Annotated[
        str | None,
        typer.Option(
            "--budget-usd", metavar="AMOUNT", help="Dollars a day, such as 5/day, by RE2LLM_PRICES."
        ),
    ] = None,
    calls_per_day: Annotated[
        str | None,
        typer.Option("--budget-calls", metavar="N", help="Model calls a day, such as 2000/day."),
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help="When it looks, in UTC.",
            show_default="no change while it is on, else every 15 minutes",
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option("--misses", min=1, metavar="N", help="New misses to learn from together."),
    ] = 50,
    reference: Annotated[
        int,
        typer.Option(
            min=100, metavar="N", help="Rewards after a promotion that say what to expect."
        ),
    ] = 500,
    steps: Annotated[
        str,
        typer.Option(metavar="PERCENTAGES", help="Of a rollout: percent of people, up to 100."),
    ] = _STEPS,
    hold: Annotated[
        int, typer.Option(min=1, metavar="N", help="Of a rollout: exposures that each step lasts.")
    ] = _PLAN.hold,
    most: Annotated[
        int, typer.Option(min=1, metavar="N", help="Exposures after which a rollout is given up.")
    ] = _PLAN.most,
    window: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="Seconds within which feedback counts.")
    ] = _PLAN.window,
    effect: Annotated[
        float, typer.Option(metavar="DIFFERENCE", help="Of a rollout: what is worth finding.")
    ] = _PLAN.effect,
    goal: Annotated[
        Goal,
        typer.Option(metavar="GOAL", help="What the step to 100 needs: better or not_worse."),
    ] = _PLAN.goal,
    as_json: JsonOption = False,
) -> None:
    """Turn it on, or give it another plan.

    Example: re2llm autopilot on --domain films --budget-usd 5/day
    """
    from ..policies.autopilot.plan import AutopilotPlan, a_day

    try:
        plan = AutopilotPlan(
            usd_per_day=None if usd_per_day is None else a_day(usd_per_day, "usd_per_day"),
            calls_per_day=None
            if calls_per_day is None
            else int(a_day(calls_per_day, "calls_per_day")),
            batch=batch,
            reference=reference,
            canary=Plan(
                steps=percentages(steps),
                hold=hold,
                most=most,
                window=window,
                effect=effect,
                goal=goal,
            ),
        )
    except InputError as error:
        fail(error)

    async def work() -> _Told:
        from ..jobs.autopilot.switch import turn_on
        from ..runtime.context import Context

        return await _told(await turn_on(Context(), plan, domain=domain, cron=cron))

    _show(run(work), as_json)


@autopilot.command("off")
def off(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """Turn it off. Its running step makes no further call; a rollout goes on.

    Example: re2llm autopilot off --domain films
    """
    _show(run(lambda: _do("off", domain)), as_json)


@autopilot.command("show")
def show(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """Show what it decided and why, and what it spent.

    Example: re2llm autopilot show --domain films
    """
    _show(run(lambda: _do("show", domain)), as_json)


@autopilot.command("resume")
def resume(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """Let a held autopilot go on; after a drop, from present reward.

    Example: re2llm autopilot resume --domain films
    """
    _show(run(lambda: _do("resume", domain)), as_json)


@autopilot.command("run-once")
def run_once(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """Look at what is new and begin the next step now. `re2llm worker` does the work.

    Example: re2llm autopilot run-once --domain films
    """
    _show(run(lambda: _do("run-once", domain)), as_json)


async def _do(verb: Literal["off", "show", "resume", "run-once"], domain: str | None) -> _Told:
    from ..runtime.context import Context

    if verb in {"show", "resume"}:
        from ..operations.autopilot.manage import resume_autopilot, show_autopilot

        does = show_autopilot if verb == "show" else resume_autopilot
        return await _told(await does(Context(), domain=domain))
    from ..jobs.autopilot import switch

    does = switch.turn_off if verb == "off" else switch.run_once
    return await _told(await does(Context(), domain=domain))


async def _told(shown: AutopilotShown) -> _Told:
    """Add whether a worker has to be started for an autopilot that is on."""
    from ..jobs.queue.liveness import what_is_missing
    from ..runtime.sharing import shared_services

    if shown.state != "on":
        return shown, ""
    services = await shared_services()
    async with services.engine.connect() as connection:
        return shown, await what_is_missing(connection)


def _show(told: _Told, as_json: bool) -> None:
    shown, remark = told
    if as_json:
        print_json(shown.model_dump())
        return
    out.print_line(f"The autopilot of {shown.domain} is {shown.state}. {shown.says}")
    if shown.remedy:
        out.print_line(f"What to do: {shown.remedy}")
    reward: dict[str, Any] = shown.reward or {}
    if reward.get("high") is not None:
        out.print_line(
            f"Reward {reward['expected']:.4f} expected, {reward['live']:.4f} live; "
            f"difference {reward['low']:+.4f} to {reward['high']:+.4f}."
        )
    elif shown.plan is not None and shown.reward is not None:
        have, need = reward.get("expected_rewards", 0), shown.plan["reference"]
        out.print_line(f"Reward is watched after {need:,} rewards; there are {have:,}.")
    for day in shown.days:
        out.print_line(f"  {day.day}  {_used(day)}")
    for one in shown.decisions:
        again = f" ({one.times:,} times)" if one.times > 1 else ""
        job = f" [{one.job}]" if one.job else ""
        out.print_line(f"  {one.last_at[:16]}  {one.action:<12} {one.words}{job}{again}")
    if remark:
        note(remark)


def _used(day: AutopilotDay) -> str:
    calls = counted(day.llm_calls, "call") + (
        f" of {day.max_llm_calls:,}" if day.max_llm_calls else ""
    )
    money = f", {day.cost:.2f} USD of {day.max_cost:.2f}" if day.max_cost is not None else ""
    waiting = f" ({day.reserved:.2f} in flight)" if day.reserved else ""
    return calls + money + waiting
