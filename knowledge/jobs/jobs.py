"""Jobs that workers share: what was asked for, how far they are, and what came of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import BudgetSpentError, NotThereError
from ..schema.jobs import JobRow
from ..schema.tables import DomainRow
from ..texts import made_storable, storable

JobState = Literal["running", "paused", "stopped", "failed", "done", "cancelled"]
"""`stopped`: the budget is spent, or the model is down. All but `done` and `cancelled` can go on.
"""

FilelessKind = Literal["learn", "train", "verify", "tidy"]
"""Kinds of jobs that need no file, so that forms can submit them and schedules repeat them."""

KEY_REVOKED = "The API key that started it was revoked."
"""Why a job was stopped, or an autopilot held."""
PRIVATE = "sessions"
"""The argument that holds people's choices, which is not shown."""
WITHOUT_SESSIONS = JobRow.arguments.op("-")(PRIVATE)
_LISTED = (
    *("id", "kind", "version", "attempt", "state", "reason", "pieces", "schedule"),
    *("max_tokens", "max_cost", "tokens", "created_at", "ended_at"),
)
_LISTED_COLUMNS = (
    DomainRow.name.label("domain"),
    *(getattr(JobRow, name) for name in _LISTED),
    JobRow.max_calls.label("max_llm_calls"),
    JobRow.calls.label("llm_calls"),
    JobRow.spent.label("cost"),
)
JOB_COLUMNS = (*_LISTED_COLUMNS, JobRow.arguments, JobRow.result)
_BRIEF_COLUMNS = (*_LISTED_COLUMNS, WITHOUT_SESSIONS.label("arguments"), JobRow.result)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job without what was asked for and what came of it, which may be megabytes.

    Attributes:
        domain: Name of the domain.
        version: The version of the code that runs it.
        attempt: How often it was started.
        state: Its state.
        reason: Why it stopped or failed; else empty.
        pieces: How many pieces this attempt has, once they are planned.
        schedule: The schedule that submitted it.
        max_llm_calls: Model calls that it may make, `None` for any number; likewise the next two.
        llm_calls: Made so far, retries included.
        tokens: Tokens in and out so far.
        cost: So far, by `RE2LLM_PRICES`.
    """

    id: str
    domain: str
    kind: str
    version: str
    attempt: int
    state: JobState
    reason: str
    pieces: int | None
    schedule: str | None
    max_llm_calls: int | None
    max_tokens: int | None
    max_cost: float | None
    llm_calls: int
    tokens: int
    cost: float
    created_at: dt.datetime
    ended_at: dt.datetime | None

    @property
    def workflow(self) -> str:
        """Id of the workflow that runs this attempt."""
        return f"{self.id}-{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(ListedJob):
    """A job.

    Attributes:
        arguments: What was asked for.
        result: What came of it, once it is done.
    """

    arguments: Mapping[str, Any]
    result: Mapping[str, Any] | None


async def store_job(connection: AsyncConnection, domain_id: int, **values: Any) -> None:
    """Store a new job.

    Args:
        connection: A connection in the transaction that enqueues it.
        values: Columns of `JobRow`.
    """
    await connection.execute(insert(JobRow).values(domain_id=domain_id, **values))


async def find_job(
    connection: AsyncConnection, job_id: str, *, sessions: bool = True
) -> Job | None:
    """Return a job, if it is there.

    Args:
        sessions: Whether with people's sessions, which may be megabytes.
    """
    if not storable(job_id):
        return None
    columns = JOB_COLUMNS if sessions else _BRIEF_COLUMNS
    found = select(*columns).join(DomainRow, DomainRow.id == JobRow.domain_id)
    row = (await connection.execute(found.where(JobRow.id == job_id))).mappings().one_or_none()
    return None if row is None else Job(**row)


async def is_running(connection: AsyncConnection, job_id: str, attempt: int) -> bool:
    """Return whether an attempt of a job is running. Reads nothing that it was asked for."""
    this = (JobRow.id == job_id, JobRow.attempt == attempt, JobRow.state == "running")
    return await connection.scalar(select(JobRow.id).where(*this)) is not None


async def fetch_job(
    connection: AsyncConnection,
    job_id: str,
    *,
    among: AbstractSet[str] | None = None,
    sessions: bool = True,
) -> Job:
    """Return a job.

    Args:
        among: Names of the domains that the caller may know of; `None` for all.
        sessions: As for `find_job`.

    Raises:
        NotThereError: There is none of this id that the caller may know of.
    """
    job = await find_job(connection, job_id, sessions=sessions)
    if job is None or (among is not None and job.domain not in among):
        raise NotThereError("job", f"There is no job {job_id!r}.", "`re2llm jobs list` shows all.")
    return job


async def list_jobs(
    connection: AsyncConnection,
    *,
    domain: str | None = None,
    state: JobState | None = None,
    among: AbstractSet[str] | None = None,
    most: int = 10_000,
    skip: int = 0,
) -> list[ListedJob]:
    """Return the newest jobs, the newest first.

    Args:
        among: Names of the domains that the caller may know of; `None` for all.
        most: The highest number to return.
        skip: How many to leave out, from the newest.
    """
    found = select(*_LISTED_COLUMNS).join(DomainRow, DomainRow.id == JobRow.domain_id)
    if among is not None:
        found = found.where(DomainRow.name.in_(among))
    if domain is not None:
        found = found.where(DomainRow.name == domain)
    if state is not None:
        found = found.where(JobRow.state == state)
    newest = found.order_by(JobRow.created_at.desc(), JobRow.id).offset(skip).limit(most)
    return [ListedJob(**row) for row in (await connection.execute(newest)).mappings()]


async def count_jobs(connection: AsyncConnection, domain_id: int, state: JobState | None) -> int:
    """Return how many jobs a domain has.

    Args:
        state: Only those in this state; `None` for any.
    """
    counted = select(func.count()).select_from(JobRow).where(JobRow.domain_id == domain_id)
    if state is not None:
        counted = counted.where(JobRow.state == state)
    return await connection.scalar(counted) or 0


async def plan_pieces(connection: AsyncConnection, job: Job, pieces: int) -> None:
    """Note how many pieces this attempt of a job has."""
    await connection.execute(
        update(JobRow)
        .where(JobRow.id == job.id, JobRow.attempt == job.attempt)
        .values(pieces=pieces)
    )


async def end_job(
    connection: AsyncConnection,
    job: Job,
    state: JobState,
    *,
    reason: str = "",
    result: Mapping[str, Any] | None = None,
) -> bool:
    """End a running attempt of a job, and return whether it was running.

    Args:
        connection: A connection in a transaction.
    """
    ended = (
        update(JobRow)
        .where(JobRow.id == job.id, JobRow.attempt == job.attempt, JobRow.state == "running")
        .values(
            state=state,
            reason=made_storable(reason),
            result=None if result is None else dict(result),
            ended_at=None if state == "paused" else func.now(),
        )
    )
    if state in {"done", "cancelled"}:
        ended = ended.values(arguments=WITHOUT_SESSIONS)
    return await connection.scalar(ended.returning(JobRow.id)) is not None


async def hold_running(connection: AsyncConnection, job_id: str | None) -> None:
    """Let a job publish what it made, unless it was cancelled, paused or stopped meanwhile.

    Args:
        connection: A connection in the transaction that publishes; until it ends, the job's state
            stays.
        job_id: The id of the job; `None` for work that is none.

    Raises:
        BudgetSpentError: It does not run any more.
    """
    if job_id is None:
        return
    held = select(JobRow.state).where(JobRow.id == job_id).with_for_update(read=True)
    if await connection.scalar(held) not in {None, "running"}:
        raise BudgetSpentError("job", "It was stopped meanwhile.", "`re2llm jobs show` says why.")


async def restart_job(
    connection: AsyncConnection,
    job_id: str,
    among: Sequence[JobState],
    version: str,
    *,
    key_id: str | None = None,
    forgets: bool = False,
    **limits: float | None,
) -> Job | None:
    """Begin another attempt of a job in one of some states; `None` if it is in another.

    Args:
        connection: A connection in the transaction that enqueues it.
        key_id: The API key that goes on with it.
        forgets: Whether to forget what calls in flight have set aside: those of a worker that was
            killed never end.
        limits: New values of `max_llm_calls` and the like.
    """
    if "max_llm_calls" in limits:
        limits["max_calls"] = limits.pop("max_llm_calls")  # as the column is called
    restarted = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.state.in_(among))
        .values(
            state="running",
            reason="",
            result=None,
            pieces=None,
            ended_at=None,
            version=version,
            key_id=key_id,
            attempt=JobRow.attempt + 1,
            reserved=0.0 if forgets else JobRow.reserved,
            **limits,
        )
        .returning(JobRow.id)
    )
    if await connection.scalar(restarted) is None:
        return None
    return await fetch_job(connection, job_id, sessions=False)


async def forget_ended(
    connection: AsyncConnection, domain_id: int, schedule: str, *, kept: int
) -> None:
    """Delete the jobs of a schedule that have ended, but for the newest.

    Args:
        connection: A connection in a transaction.
        domain_id: The domain of the schedule.
        schedule: Its name.
        kept: How many stay.
    """
    its = (
        JobRow.domain_id == domain_id,
        JobRow.schedule == schedule,
        JobRow.state.not_in(("running", "paused")),
    )
    newest = select(JobRow.id).where(*its).order_by(JobRow.created_at.desc(), JobRow.id)
    # One that was retried meanwhile stays.
    await connection.execute(
        delete(JobRow).where(*its, JobRow.id.in_(newest.offset(kept).scalar_subquery()))
    )


async def other_versions(connection: AsyncConnection, version: str) -> list[str]:
    """Return which other versions of the code have running jobs."""
    found = select(JobRow.version).where(JobRow.state == "running", JobRow.version != version)
    return sorted(set(await connection.scalars(found)))
