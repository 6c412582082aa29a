"""`re2llm jobs schedule`, `schedules` and `unschedule`: jobs at certain times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .console import note, out, print_json, run
from .options import DomainOption, JsonOption, MaxCalls, MaxCost
from .tables import print_table

if TYPE_CHECKING:
    from ..jobs.kinds.registry import JobKind
    from ..jobs.schedules.schedules import Schedule


def schedule(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="What the job does: learn, train, verify or tidy.")
    ],
    cron: Annotated[
        str,
        typer.Option(
            metavar="CRON", help="When, as five cron fields: minute hour day month weekday."
        ),
    ],
    domain: DomainOption = None,
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="The time zone of --cron.")] = "UTC",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The schedule's name. Default: KIND-DOMAIN.")
    ] = None,
    activate: Annotated[
        bool,
        typer.Option(
            "--activate/--no-activate",
            help="train: Whether to serve the release, if it is no worse than the active one.",
        ),
    ] = True,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    as_json: JsonOption = False,
) -> None:
    """Submit a job at regular times. The limits apply to each job.

    A running worker submits it. If none ran when it was due, the next worker to start
    submits it once.

    Example: re2llm jobs schedule train --domain films --cron "0 3 * * *"
    """
    limits: dict[str, Any] = {"max_llm_calls": max_llm_calls, "max_cost": max_cost}

    async def work() -> Schedule:
        from ..jobs.schedules.schedules import add_schedule
        from ..runtime.context import Context

        given = {key: limit for key, limit in limits.items() if limit is not None}
        return await add_schedule(
            Context(domain=domain),
            cast("JobKind", kind),  # the operation checks it
            cron,
            zone=timezone,
            name=name,
            limits=given,
            arguments={} if activate else {"activate": False},
        )

    made = run(work)
    if as_json:
        print_json(made.as_dict())
    else:
        out.print_line(_line(made))
        note("A running `re2llm worker` submits it.")


def schedules(
    as_json: JsonOption = False,
) -> None:
    """List all schedules.

    Example: re2llm jobs schedules
    """

    async def work() -> list[Schedule]:
        from ..jobs.schedules.schedules import list_schedules
        from ..runtime.context import Context

        return await list_schedules(Context())

    found = run(work)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    if not found:
        out.print("There are no schedules. `re2llm jobs schedule --help` has an example.")
        return
    rows = [[one.name, _what(one), one.domain, one.cron, one.zone, one.next_at] for one in found]
    print_table(("schedule", "kind", "domain", "cron", "zone", "next"), rows)


def unschedule(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As `re2llm jobs schedules` shows it.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Remove a schedule. The jobs that it has submitted stay.

    Example: re2llm jobs unschedule train-films
    """

    async def work() -> None:
        from ..jobs.schedules.schedules import remove_schedule
        from ..runtime.context import Context

        await remove_schedule(Context(), name)

    run(work)
    if as_json:
        print_json({"removed": name})
    else:
        out.print(f"Removed {name}.")


def _line(made: Schedule) -> str:
    return (
        f"{made.name}  {_what(made)}  {made.domain}  {made.cron} {made.zone}  next {made.next_at}"
    )


def _what(made: Schedule) -> str:
    return made.kind if made.arguments.get("activate", True) else f"{made.kind} --no-activate"
