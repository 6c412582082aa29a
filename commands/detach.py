"""The option `--detach` of long commands, and what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .console import fail, note, out, print_json, run

if TYPE_CHECKING:
    from ..jobs.kinds.registry import JobKind
    from ..jobs.queue.control import Job, JobStatus
    from ..runtime.context import Context

Detach = Annotated[
    bool,
    typer.Option(
        "--detach", help="Submit it as a job for `re2llm worker`, and print the job's id."
    ),
]


def submit_job(
    context: Context,
    kind: JobKind,
    arguments: Mapping[str, Any],
    *,
    as_json: bool = False,
    **limits: Any,
) -> None:
    """Submit a job, and print its id.

    Args:
        limits: As for `jobs.submit.submit`.
    """

    async def work() -> JobStatus[Job]:
        from ..jobs.queue.control import job
        from ..jobs.queue.submit import submit

        return await job(context, (await submit(context, kind, arguments, **limits)).id)

    made = run(work)
    if as_json:
        print_json({"job": made.job.id})
        return
    out.print(made.job.id)
    note(f"`re2llm jobs show {made.job.id}` tells how far it is; `re2llm worker` does the work.")
    if made.note:
        note(made.note)


def refuse_with_detach(option: str, *, given: bool) -> None:
    """Refuse an option that a job does not have."""
    if given:
        fail(InputError(option, "It has no effect with --detach.", "Leave out one of the two."))
