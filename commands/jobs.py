"""`re2llm jobs`: shows and controls jobs, such as work that was submitted with `--detach`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..records import counted
from .console import note, out, print_json, run
from .groups import CommandGroup
from .options import JsonOption, MaxCalls, MaxCost, MaxTokens
from .schedules import schedule, schedules, unschedule
from .tables import print_table

if TYPE_CHECKING:
    from ..jobs.queue.control import Job, JobState, JobStatus, ListedJob

jobs = CommandGroup(
    no_args_is_help=True, help="List, control and schedule the jobs that `re2llm worker` runs."
)
JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="The job's id, as `--detach` printed it.")
]


@jobs.command("list")
def list_(
    domain: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Only of this domain.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="STATE", help="Only running, paused, stopped, failed, done or cancelled ones."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first.

    Example: re2llm jobs list --state running
    """

    async def work() -> list[JobStatus[ListedJob]]:
        from ..jobs.queue.control import jobs
        from ..runtime.context import Context

        return await jobs(Context(), domain=domain, state=cast("JobState | None", state))

    found = run(work)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    if not found:
        out.print("There are no jobs. `re2llm learn --detach`, for example, submits one.")
        return
    headings = ("job", "domain", "state", "pieces", "calls", "cost", "created", "reason")
    print_table(headings, map(_cells, found), right=("pieces", "calls", "cost"))
    for told in {one.note for one in found if one.note}:
        note(told)


@jobs.command()
def show(job: JobId, as_json: JsonOption = False) -> None:
    """Show a job's progress, cost and result.

    Example: re2llm jobs show learn-1a2b3c4d
    """

    async def work() -> JobStatus[Job]:
        from ..jobs.queue.control import job as operation
        from ..runtime.context import Context

        return await operation(Context(), job)

    found = run(work)
    if as_json:
        print_json(found.whole())
        return
    out.print_line(_line(found))
    whole = found.whole()
    for name in ("version", "created_at", "ended_at", "schedule"):
        if whole[name] is not None:
            out.print_line(f"{name.replace('_', ' ')}: {whole[name]}")
    if whole["result"] is not None:
        print_json(whole["result"])
    if found.note:
        note(found.note)


@jobs.command()
def pause(job: JobId, as_json: JsonOption = False) -> None:
    """Pause a job. Calls in flight are finished, and no other is made.

    Example: re2llm jobs pause learn-1a2b3c4d
    """
    _change("pause", job, as_json)


@jobs.command()
def resume(job: JobId, as_json: JsonOption = False) -> None:
    """Continue a paused job, with the installed version of re2llm.

    Example: re2llm jobs resume learn-1a2b3c4d
    """
    _change("resume", job, as_json)


@jobs.command()
def cancel(job: JobId, as_json: JsonOption = False) -> None:
    """Cancel a job for good. What it has stored stays.

    Example: re2llm jobs cancel learn-1a2b3c4d
    """
    _change("cancel_job", job, as_json)


@jobs.command()
def retry(
    job: JobId,
    max_llm_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    as_json: JsonOption = False,
) -> None:
    """Continue a stopped or failed job.

    The limits count what was spent before.

    Example: re2llm jobs retry learn-1a2b3c4d --max-llm-calls 2000
    """
    limits = {"max_llm_calls": max_llm_calls, "max_tokens": max_tokens, "max_cost": max_cost}
    _change("retry", job, as_json, **limits)


jobs.command()(schedule)
jobs.command()(schedules)
jobs.command()(unschedule)


def _change(name: str, job: str, as_json: bool, **limits: Any) -> None:
    async def work() -> JobStatus[Job]:
        from ..jobs.queue import control
        from ..runtime.context import Context

        change: Callable[..., Awaitable[JobStatus[Job]]] = getattr(control, name)
        return await change(Context(), job, **limits)

    found = run(work)
    if as_json:
        print_json(found.as_dict())
    else:
        out.print_line(_line(found))
        if found.note:
            note(found.note)


def _cells(status: JobStatus[ListedJob]) -> list[str]:
    job = status.job
    pieces = _pieces(status, "{:,}".format)
    spent = f"{job.cost:.4f}" if job.cost else ""
    created = f"{job.created_at:%Y-%m-%d %H:%M}"
    return [
        *(job.id, job.domain, job.state, pieces),
        f"{job.llm_calls:,}",
        spent,
        created,
        job.reason or "",
    ]


def _line(status: JobStatus[ListedJob]) -> str:
    job = status.job
    pieces = _pieces(status, lambda count: counted(count, "piece"))
    cost = f", cost {job.cost:.4f}" if job.cost else ""
    reason = f": {job.reason}" if job.reason else ""
    return (
        f"{job.id}  {job.domain}  {job.state}{pieces and f', {pieces}'}, "
        f"{counted(job.llm_calls, 'call')}{cost}{reason}"
    )


def _pieces(status: JobStatus[ListedJob], written: Callable[[int], str]) -> str:
    """Say how many pieces there are and, where that is known, how many are done."""
    if status.job.pieces is None:
        return ""
    total = written(status.job.pieces)
    return total if status.done is None else f"{status.done:,} of {total}"
