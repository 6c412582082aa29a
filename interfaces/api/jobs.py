"""`/v1/jobs`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...errors import NotGrantedError
from ...knowledge.jobs.jobs import FilelessKind, JobState
from ..loading import load_module
from .callers import caller_of, context_of, require_right
from .documents import problems
from .idempotency import IdempotencyKey, once
from .requests import DomainField, DomainQuery, KeyedBody, StrictBody
from .strict_routes import json_response, strict_router

router = strict_router()

JobId = Annotated[str, Field(min_length=1, max_length=200, description="Of a submitted job.")]
_Count = Annotated[int | None, Field(ge=1, le=10**9)]
_Money = Annotated[float | None, Field(gt=0, le=10**9)]
_LISTED = 1_000


class _Limits(StrictBody):
    max_llm_calls: Annotated[_Count, Field(description="Model calls that it may make.")] = None
    max_tokens: Annotated[_Count, Field(description="Tokens that it may use.")] = None
    max_cost: Annotated[_Money, Field(description="What it may cost.")] = None

    @property
    def limits(self) -> dict[str, Any]:
        return self.model_dump(include=set(_Limits.model_fields))


class JobBody(KeyedBody, _Limits):
    """A job to submit, which workers then do."""

    always_told = frozenset({*_Limits.model_fields, "kind", "domain", "max_hints"})

    kind: FilelessKind
    domain: DomainField = None
    max_hints: Annotated[
        Annotated[int, Field(ge=1, le=1_000)] | None,
        Field(description="Of `learn`: stop at so many hints."),
    ] = None
    activate: Annotated[
        bool, Field(description="Of `train`: serve the release, if it is no worse.")
    ] = True

    @property
    def arguments(self) -> dict[str, Any]:
        """What was given of the arguments of a job."""
        return self.model_dump(include={"max_hints", "activate"}, exclude_defaults=True)


class JobName(StrictBody):
    """Which job to change."""

    job: JobId


class RetryBody(_Limits, JobName):
    """Which job to go on with, and its new limits; calls that were made count."""


class JobDocument(BaseModel):
    """A job, and how far it is."""

    id: str
    kind: str
    domain: str
    state: JobState
    reason: str = Field(description="Why it stopped or failed; else empty.")
    attempt: int
    version: str = Field(description="Of the code that does it.")
    schedule: str | None
    pieces: int | None = Field(description="How many it was cut into, once that is known.")
    done: int | None = Field(description="Pieces that are done; null unless it is running.")
    note: str = Field(description="Why nothing happens and what to do, if that is so.")
    llm_calls: int
    max_llm_calls: int | None
    tokens: int
    max_tokens: int | None
    cost: float
    max_cost: float | None
    created_at: str
    ended_at: str | None
    arguments: dict[str, Any] | None = Field(default=None, description="What was asked for.")
    result: dict[str, Any] | None = Field(default=None, description="What came of it.")


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: Sequence[JobDocument]


@router.get(
    "/v1/jobs",
    operation_id="list_jobs",
    summary="List jobs",
    response_model=JobList,
    responses=problems(body=False),
)
async def jobs_route(
    request: Request,
    domain: DomainQuery = None,
    state: Annotated[JobState | None, Query(description="Only those.")] = None,
) -> Response:
    """List the newest jobs of the domains that the caller may use, at most 1,000."""
    control = await jobs_module("queue.control")
    found = await control.jobs(context_of(request), domain=domain, state=state, most=_LISTED)
    return json_response(JobList(jobs=[_document(one) for one in found]))


@router.get(
    "/v1/jobs/{job}",
    operation_id="show_job",
    summary="Show a job",
    response_model=JobDocument,
    responses=problems(body=False),
)
async def job_route(
    request: Request, job: Annotated[str, Path(min_length=1, max_length=200)]
) -> Response:
    """Show how far a job is, what it has spent and what came of it."""
    control = await jobs_module("queue.control")
    found = await control.job(context_of(request), job)
    return json_response(JobDocument.model_validate(found.whole()))


@router.post(
    "/v1/jobs",
    operation_id="submit_job",
    summary="Submit a job",
    response_model=JobDocument,
    responses=problems(403, 409),
)
async def submit_route(
    request: Request, body: JobBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """Submit a job for `re2llm worker`. A key needs the right to `learn`, and no daily limits."""
    require_start(request)
    submit, control = await jobs_module("queue.submit"), await jobs_module("queue.control")
    context = context_of(request, domain=body.domain)
    # Found again by its id if the answer could not be kept.
    made_by = None if idempotency_key is None else _job_id(request, idempotency_key, body)
    origin = submit.Origin(job_id=made_by)

    async def work() -> JobDocument:
        made = await submit.submit(context, body.kind, body.arguments, **body.limits, origin=origin)
        return _document(await control.job(context, made.id))

    if idempotency_key is None:
        return json_response(await work())
    return json_response(await once(context, idempotency_key, body, JobDocument, work))


def _job_id(request: Request, key: str, body: JobBody) -> str:
    caller = caller_of(request)
    whose = None if caller is None else caller.key_id
    named = json.dumps([whose, key, body.told_apart_by()])
    return f"{body.kind}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


@router.post(
    "/v1/jobs:pause",
    operation_id="pause_job",
    summary="Pause a job",
    response_model=JobDocument,
    responses=problems(403),
)
async def pause_route(request: Request, body: JobName) -> Response:
    """Let calls in flight end, and make no other. A key needs the right to `learn`."""
    require_right(request, "learn")
    return await _changed(request, "pause", body)


@router.post(
    "/v1/jobs:cancel",
    operation_id="cancel_job",
    summary="Cancel a job",
    response_model=JobDocument,
    responses=problems(403),
)
async def cancel_route(request: Request, body: JobName) -> Response:
    """End a job for good; what it has stored stays. A key needs the right to `learn`."""
    require_right(request, "learn")
    return await _changed(request, "cancel_job", body)


@router.post(
    "/v1/jobs:resume",
    operation_id="resume_job",
    summary="Resume a job",
    response_model=JobDocument,
    responses=problems(403),
)
async def resume_route(request: Request, body: JobName) -> Response:
    """Go on with a paused job. A key needs the right to `learn`, and no daily limits."""
    require_start(request)
    return await _changed(request, "resume", body)


@router.post(
    "/v1/jobs:retry",
    operation_id="retry_job",
    summary="Retry a job",
    response_model=JobDocument,
    responses=problems(403),
)
async def retry_route(request: Request, body: RetryBody) -> Response:
    """Go on with a job that stopped or failed. A key needs `learn`, and no daily limits."""
    require_start(request)
    return await _changed(request, "retry", body, **body.limits)


async def _changed(request: Request, change: str, body: JobName, **limits: Any) -> Response:
    """Change a job by one of the functions of `jobs.control`, and show it."""
    control = await jobs_module("queue.control")
    found = await getattr(control, change)(context_of(request), body.job, **limits)
    return json_response(_document(found))


def require_start(request: Request) -> None:
    """Make sure that a request may have workers spend something.

    Args:
        request: The request.

    Raises:
        NotGrantedError: Its key may not.
    """
    require_right(request, "learn")
    caller = caller_of(request)
    if caller is not None and not caller.grants.may_start:
        raise NotGrantedError(
            "key",
            "A key with daily limits may not start jobs: workers would not count its calls.",
            "Use a key without them, or `re2llm jobs` on the server.",
        )


async def jobs_module(name: str) -> Any:
    """Load a module of jobs when it is first needed.

    Args:
        name: The name of the module, with its package, such as `queue.submit`.
    """
    return await load_module(f"jobs.{name}")


def _document(status: Any) -> JobDocument:
    return JobDocument.model_validate(status.as_dict())
