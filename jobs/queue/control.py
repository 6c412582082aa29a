"""Lists jobs, and pauses, resumes, cancels and retries them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from ...errors import InputError, NotGrantedError
from ...knowledge.access.keys import hold_key
from ...knowledge.domains import find_domain
from ...knowledge.jobs.cancelled import cancel_stored
from ...knowledge.jobs.jobs import (
    Job,
    JobState,
    ListedJob,
    count_jobs,
    end_job,
    fetch_job,
    list_jobs,
    restart_job,
)
from ...knowledge.jobs.of_keys import hold_place
from ...knowledge.log.misses import mark_learnt
from ...llm.prices import require_prices
from ...operations.database import connected, in_domain
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..kinds.registry import models_of
from .code_version import code_version
from .dbos_client import cancel, enqueue, pieces_done, queue_client
from .liveness import what_is_missing

_Job_co = TypeVar("_Job_co", bound=ListedJob, covariant=True)
_Listed = TypeVar("_Listed", bound=ListedJob)


@dataclass(frozen=True, slots=True)
class JobStatus(Generic[_Job_co]):
    """A job and how far it is.

    Attributes:
        job: The job, as it is stored.
        done: Pieces of this attempt that are done; of another state than running, `None`.
        note: Why nothing happens and what to do, if that is so.
    """

    job: _Job_co
    done: int | None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON primitives."""
        job = self.job
        names = (
            *("id", "kind", "domain", "state", "reason", "attempt", "version", "schedule"),
            *("pieces", "llm_calls", "max_llm_calls", "tokens", "max_tokens", "cost", "max_cost"),
        )
        return {name: getattr(job, name) for name in names} | {
            "done": self.done,
            "note": self.note,
            "created_at": job.created_at.isoformat(),
            "ended_at": None if job.ended_at is None else job.ended_at.isoformat(),
        }

    def whole(self: JobStatus[Job]) -> dict[str, Any]:
        """Return it with what was asked for and what came of it."""
        return {
            **self.as_dict(),
            "arguments": dict(self.job.arguments),
            "result": self.job.result,
        }


async def jobs(
    context: Context,
    *,
    domain: str | None = None,
    state: JobState | None = None,
    most: int = 10_000,
    skip: int = 0,
) -> list[JobStatus[ListedJob]]:
    """Return the newest jobs, the newest first.

    Args:
        domain: Only those of this domain; `None` for all that the caller may know of.
        state: Only those in this state; `None` for any.
        most: The highest number to return.
        skip: How many to leave out, from the newest.

    Raises:
        InputError: There is no such state, or no such domain.
    """
    if state is not None and state not in get_args(JobState):
        known = ", ".join(get_args(JobState))
        raise InputError("state", f"There is no state {state!r}.", f"Choose among {known}.")
    options = await resolve_context(context)
    async with connected(options) as connection:
        if domain is not None:
            named = domain or options.domain
            domain = (await find_domain(connection, named, among=options.domains)).name
        found = await list_jobs(
            connection, domain=domain, state=state, among=options.domains, most=most, skip=skip
        )
    return await _with_progress(options, found)


async def job_count(context: Context, *, state: JobState | None = None) -> int:
    """Return how many jobs the run's catalogue has.

    Args:
        context: Names the domain.
        state: Only those in this state; `None` for any.

    Raises:
        InputError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options) as (connection, found):
        return await count_jobs(connection, found.id, state)


async def job(context: Context, job_id: str) -> JobStatus[Job]:
    """Return a job without people's sessions.

    Raises:
        InputError: There is none of this id.
    """
    options = await resolve_context(context)
    async with options.services.engine.connect() as connection:
        found = await fetch_job(connection, job_id, among=options.domains, sessions=False)
    [status] = await _with_progress(options, [found])
    return status


async def pause(context: Context, job_id: str) -> JobStatus[Job]:
    """Pause a running job: its calls in flight end, and no other is made.

    Raises:
        InputError: It is not running.
    """
    return await _stop(context, job_id, "paused")


async def cancel_job(context: Context, job_id: str) -> JobStatus[Job]:
    """Cancel a job for good. What it has stored stays.

    Raises:
        InputError: It has ended already.
    """
    return await _stop(context, job_id, "cancelled")


async def resume(context: Context, job_id: str) -> JobStatus[Job]:
    """Go on with a paused job, under this version of the code.

    Raises:
        InputError: It is not paused.
    """
    return await _restart(context, job_id, ["paused"], {}, forgets=False)


async def retry(
    context: Context,
    job_id: str,
    *,
    max_llm_calls: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    lifts: Collection[str] = (),
) -> JobStatus[Job]:
    """Go on with a job that has stopped or failed, under this version of the code.

    Args:
        max_llm_calls: A new limit, earlier calls included; `None` keeps it. Likewise the others.
        lifts: Which of these limits it no longer has.

    Raises:
        InputError: It has neither stopped nor failed, it was refused before it began, or a model
            that a limit in money needs the price of has none.
    """
    given = {"max_llm_calls": max_llm_calls, "max_tokens": max_tokens, "max_cost": max_cost}
    limits = {name: limit for name, limit in given.items() if limit is not None or name in lifts}
    return await _restart(context, job_id, ["stopped", "failed"], limits, forgets=True)


async def _stop(context: Context, job_id: str, state: JobState) -> JobStatus[Job]:
    options = await resolve_context(context)
    engine = options.services.engine
    async with queue_client(options.services) as client:
        async with engine.begin() as connection:
            found = await fetch_job(connection, job_id, among=options.domains, sessions=False)
            stopped = await end_job(connection, found, state)
            if not stopped and state == "cancelled":
                await cancel_stored(connection, job_id)
            now = await fetch_job(connection, job_id, sessions=False)
            if now.state == "cancelled":  # else the autopilot would begin it again
                await mark_learnt(connection, [uuid.UUID(made) for made in _misses(now)])
        if now.state != state or found.state == state:
            raise _unfit(now)
        await cancel(client, now.workflow)
    return await job(context, job_id)


def _misses(job: Job) -> Mapping[str, int]:
    return job.arguments.get("misses") or {}


async def _restart(
    context: Context,
    job_id: str,
    among: Sequence[JobState],
    limits: dict[str, float | None],
    *,
    forgets: bool,
) -> JobStatus[Job]:
    options = await resolve_context(context)
    version = await asyncio.to_thread(code_version)
    async with (
        queue_client(options.services) as client,
        options.services.engine.begin() as connection,
    ):
        found = await fetch_job(connection, job_id, among=options.domains, sessions=False)
        if "context" not in found.arguments:
            raise InputError(
                "job",
                f"{found.id} was refused before it began.",
                f"Its schedule {found.schedule!r} submits another when it is due.",
            )
        if found.kind == "import" and options.caller is not None:
            options.caller.require("load")
        pinned = found.arguments["context"]
        models = models_of(found.kind, pinned["model"], pinned["reflect_model"])
        _require_models(options, models)
        if limits.get("max_cost") is not None:
            require_prices(options.settings.prices, models)
        await hold_key(connection, options.key_id)
        await hold_place(connection, options.key_id)
        started = await restart_job(
            connection, job_id, among, version, key_id=options.key_id, forgets=forgets, **limits
        )
        if started is None:
            raise _unfit(found)
        await enqueue(connection, client, job_id, started.attempt, version)
    return await job(context, job_id)


def _require_models(options: RunOptions, models: Sequence[str]) -> None:
    """Make sure that a caller may have these models asked: the server's own, and granted ones."""
    if options.caller is None:
        return
    settings = options.settings
    allowed = {settings.model, settings.reflect_model, *options.caller.grants.models}
    for model in models:
        if model not in allowed:
            raise NotGrantedError(
                "key",
                f"The job asks {model}, which was not granted to this key.",
                "Use `re2llm jobs` on the server.",
            )


async def _with_progress(options: RunOptions, found: Sequence[_Listed]) -> list[JobStatus[_Listed]]:
    running = [one.workflow for one in found if one.state == "running"]
    if not running:
        return [JobStatus(one, None) for one in found]
    async with options.services.engine.connect() as connection:
        note = await what_is_missing(connection)
    async with queue_client(options.services) as client:
        done = await pieces_done(client, running)
    return [
        JobStatus(one, done[one.workflow], note) if one.state == "running" else JobStatus(one, None)
        for one in found
    ]


_REMEDIES = {
    "running": "`re2llm jobs pause {job}` or `re2llm jobs cancel {job}` would stop it.",
    "paused": "`re2llm jobs resume {job}` goes on with it.",
    "stopped": "`re2llm jobs retry {job}` goes on with it.",
    "failed": "`re2llm jobs retry {job}` goes on with it.",
    "done": "Submit a new one.",
    "cancelled": "Submit a new one.",
}


def _unfit(found: ListedJob) -> InputError:
    return InputError(
        "job", f"{found.id} is {found.state}.", _REMEDIES[found.state].format(job=found.id)
    )
