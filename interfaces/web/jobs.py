"""Jobs: how far they are, and what can be done with them; and their schedules."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...runtime.request_limits import DomainName
from ..api.callers import require_right
from ..api.jobs import FilelessKind, JobId, JobState, jobs_module, require_start
from .browsers import PREFIX
from .paging import PAGE_SIZE, PageNumber, Paging, skipped
from .pictures import interval_picture
from .rendering import see, signed
from .routing import BLANK, form_of, page_router
from .visits import DomainChoice, visit

SECTION = "/jobs"
_Change = Literal["pause", "resume", "cancel", "retry"]
_CHANGES: dict[str, str] = {
    "pause": "pause",
    "resume": "resume",
    "cancel": "cancel_job",
    "retry": "retry",
}
"""Functions of `jobs.control`."""
_LIMITS = ("max_llm_calls", "max_tokens", "max_cost")
"""Limits of a retried job: a missing field keeps its limit, an empty one lifts it."""
Calls = Annotated[Annotated[int, Field(ge=1, le=10**9)] | None, BLANK]
"""Most model calls; an empty field sets no limit."""
Money = Annotated[Annotated[float, Field(gt=0, le=10**9)] | None, BLANK]
"""Highest cost; an empty field sets no limit."""
_KINDS: dict[FilelessKind, str] = {
    "learn": "learn hints",
    "verify": "verify hints",
    "tidy": "tidy hints",
    "train": "train the policy",
}
"""What each kind does, in the order of the form."""
router = page_router()


class ChangeForm(BaseModel):
    """What to do with a job."""

    domain: DomainName
    change: _Change
    max_llm_calls: Calls = None
    max_tokens: Calls = None
    max_cost: Money = None


class SubmitForm(BaseModel):
    """A job to submit, now or at certain times."""

    domain: DomainName
    kind: FilelessKind
    max_llm_calls: Calls = None
    max_cost: Money = None
    cron: Annotated[str, Field(max_length=200)] = ""
    zone: Annotated[str, Field(max_length=100)] = "UTC"
    inactive: bool = False


class UnscheduleForm(BaseModel):
    """A schedule to remove."""

    domain: DomainName
    name: Annotated[str, Field(max_length=500)]


@router.get(PREFIX + SECTION)
async def jobs_page(
    request: Request,
    domain: DomainChoice = None,
    state: Annotated[JobState | Literal[""], Query()] = "",
    number: Annotated[PageNumber, Query(alias="page")] = 1,
) -> Response:
    """List the jobs of a domain, and its schedules."""
    seen = await visit(request, domain)
    control = await jobs_module("queue.control")
    schedules = await jobs_module("schedules.schedules")
    found = await control.jobs(
        seen.context,
        domain=seen.domain,
        state=state or None,
        most=PAGE_SIZE,
        skip=skipped(number),
    )
    total = await control.job_count(seen.context, state=state or None)
    planned = await schedules.list_schedules(seen.context)
    return seen.page(
        "jobs.html",
        jobs=[one.as_dict() for one in found],
        state=state,
        states=get_args(JobState),
        kinds=_KINDS,
        schedules=[one for one in planned if one.domain == seen.domain],
        query={"domain": seen.domain, "state": state},
        paging=Paging(number, total),
    )


@router.get(PREFIX + SECTION + "/{job}")
async def job_page(
    request: Request, job: Annotated[JobId, Path()], domain: DomainChoice = None
) -> Response:
    """Show a job."""
    seen = await visit(request, domain)
    control = await jobs_module("queue.control")
    found = await control.job(seen.context, job)
    shown = found.whole()
    gain = shown["result"]["gain"] if shown["kind"] == "try" and shown["result"] else None
    picture = None
    if gain:
        low, high = gain["ci90"]
        words = f"Gain {signed(gain['mean'])}, 90 % interval {signed(low)} to {signed(high)}"
        picture = interval_picture(gain["mean"], low, high, max(0.01, -low, high), words)
    return seen.page("job.html", job=shown, gain_found=gain, picture=picture)


@router.post(PREFIX + SECTION + "/{job}/change")
async def change_route(request: Request, job: Annotated[JobId, Path()]) -> Response:
    """Pause, resume, cancel or retry a job."""
    form = form_of(request, ChangeForm)
    if form.change in {"resume", "retry"}:
        require_start(request)
    else:
        require_right(request, "learn")
    seen = await visit(request, form.domain)
    limits: dict[str, Any] = {}
    if form.change == "retry":
        limits = {name: getattr(form, name) for name in _LIMITS}
        limits["lifts"] = [
            name for name in _LIMITS if name in form.model_fields_set and limits[name] is None
        ]
    control = await jobs_module("queue.control")
    await getattr(control, _CHANGES[form.change])(seen.context, job, **limits)
    return see(request, f"{SECTION}/{job}", {"domain": seen.domain}, done=form.change)


@router.post(PREFIX + SECTION + ":submit")
async def submit_route(request: Request) -> Response:
    """Submit a job, now or at certain times."""
    require_start(request)
    form = form_of(request, SubmitForm)
    seen = await visit(request, form.domain)
    limits = {"max_llm_calls": form.max_llm_calls, "max_cost": form.max_cost}
    # The box is there whichever kind is chosen.
    inactive = form.inactive and (await jobs_module("kinds.registry")).makes_release(form.kind)
    arguments = {"activate": False} if inactive else {}
    if form.cron.strip():
        schedules = await jobs_module("schedules.schedules")
        await schedules.add_schedule(
            seen.context,
            form.kind,
            form.cron.strip(),
            zone=form.zone or "UTC",
            limits=limits,
            arguments=arguments,
        )
        return see(request, SECTION, {"domain": seen.domain}, done="scheduled")
    submit = await jobs_module("queue.submit")
    made = await submit.submit(seen.context, form.kind, arguments, **limits)
    return see(request, f"{SECTION}/{made.id}", {"domain": seen.domain}, done="submitted")


@router.post(PREFIX + SECTION + ":unschedule")
async def unschedule_route(request: Request) -> Response:
    """Remove a schedule."""
    require_right(request, "learn")
    form = form_of(request, UnscheduleForm)
    seen = await visit(request, form.domain)
    schedules = await jobs_module("schedules.schedules")
    await schedules.remove_schedule(seen.context, form.name)
    return see(request, SECTION, {"domain": seen.domain}, done="unscheduled")
