"""`re2llm policy canary`: rolls a release out step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...policies.rollout.plan import Goal, Plan, percentages, steps_text
from ...runtime.request_limits import LARGEST_KEY
from ..completion import complete_release
from ..console import fail, note, out, print_json, run
from ..options import DomainOption, JsonOption

if TYPE_CHECKING:
    from ...operations.releases.rollout_results import ArmCounts, RolloutShown


_PLAN = Plan()
_STEPS = steps_text(_PLAN.steps)


def canary(
    release: Annotated[
        int | None,
        typer.Argument(
            max=LARGEST_KEY,
            metavar="RELEASE",
            help="The release's number.",
            autocompletion=complete_release,
        ),
    ] = None,
    domain: DomainOption = None,
    steps: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENTAGES",
            help=f"Percent of people, rising; 0 first is a shadow step.  [default: {_STEPS}]",
        ),
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Only choose and log: as --steps 0.")
    ] = False,
    hold: Annotated[
        int, typer.Option(min=1, metavar="N", help="Exposures that each step lasts.")
    ] = _PLAN.hold,
    most: Annotated[
        int, typer.Option(min=1, metavar="N", help="Exposures after which a person decides.")
    ] = _PLAN.most,
    window: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="Seconds within which feedback counts.")
    ] = _PLAN.window,
    effect: Annotated[
        float,
        typer.Option(
            metavar="DIFFERENCE", help="The difference of mean reward that is worth finding."
        ),
    ] = _PLAN.effect,
    goal: Annotated[
        Goal,
        typer.Option(metavar="GOAL", help="What the step to 100 needs: better or not_worse."),
    ] = _PLAN.goal,
    status: Annotated[bool, typer.Option("--status", help="Show how far it is.")] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Serve the active release to everybody again.")
    ] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Activate it now, whatever its figures.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Roll a release out step by step, or take it back.

    Example: re2llm policy canary 2 --domain films --steps 1,5,25,100
    """
    if sum((status, stop, promote)) > 1:
        fail(
            InputError(
                "--status", "It cannot be combined.", "Give one of --status, --stop, --promote."
            )
        )
    if release is None and not (status or stop or promote):
        fail(
            InputError(
                "RELEASE",
                "It is not named.",
                "Name one of `re2llm policy list`, or give --status.",
            )
        )
    if release is not None and (stop or promote):
        fail(InputError("RELEASE", "There is one live rollout.", "Leave the release out."))
    if shadow and steps is not None:
        fail(InputError("--shadow", "--steps says what to do.", "Give one of them."))
    plan: dict[str, Any] = {"hold": hold, "most": most, "window": window}
    wanted = "0" if shadow else _STEPS if steps is None else steps
    try:
        plan |= {"steps": percentages(wanted), "effect": effect, "goal": goal}
    except InputError as error:
        fail(error)
    verb = "status" if status else "stop" if stop else "promote" if promote else "start"
    shown = run(lambda: _do(verb, release, domain, plan))
    if as_json:
        print_json(shown and shown.model_dump())
    elif shown is not None:
        _print(shown)


async def _do(
    verb: str, release: int | None, domain: str | None, plan: dict[str, Any]
) -> RolloutShown | None:
    from ...operations.releases.rollouts import (
        NoRolloutError,
        promote_canary,
        show_canary,
        start_canary,
        stop_canary,
    )
    from ...runtime.context import Context

    context = Context()
    if verb == "stop":
        try:
            return await stop_canary(context, domain=domain)
        except NoRolloutError as error:
            note(f"{error.problem} There is nothing to stop.")
            return None
    if verb == "promote":
        return await promote_canary(context, domain=domain)
    if verb == "status" or release is None:
        return await show_canary(context, domain=domain, release=release)
    return await start_canary(context, release, domain=domain, plan=Plan.from_dict(plan))


def _print(shown: RolloutShown) -> None:
    steps = ", ".join(f"{step:g}" for step in shown.plan["steps"])
    out.print(
        f"Release {shown.release} against {shown.control or 'no release'}: {shown.state}, "
        f"{shown.percent:g} % of people (steps {steps}).",
    )
    out.print(f"{shown.words} [{shown.reason}]")
    reward = shown.figures.get("reward", {})
    if reward.get("n"):
        out.print(
            f"Reward {reward['control']:.4f} without it, {reward['canary']:.4f} with it where they "
            f"differ; difference {reward['low']:+.4f} to {reward['high']:+.4f} over all.",
        )
    out.print("without it: " + _counts(shown.control_counts))
    out.print("with it:    " + _counts(shown.canary_counts))
    both = shown.control_counts.exposures + shown.canary_counts.exposures
    out.print(f"They may rank differently in {shown.differ:,} of {both:,} exposures.")
    for event in shown.events:
        out.print(
            f"  {event.created_at[:16]}  {event.kind:<10} {event.percent:>5g} %  {event.words}",
        )


def _counts(counts: ArmCounts) -> str:
    return (
        f"{counts.exposures:,} exposures: {counts.answered:,} answered in time "
        f"({counts.none_picked:,} none of these), {counts.waiting:,} waiting, "
        f"{counts.silent:,} silent ({counts.late:,} of them answered late)"
    )
