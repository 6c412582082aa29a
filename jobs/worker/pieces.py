"""The steps of a job: planning, one piece, the end. They can run again at any time."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from ...errors import BudgetSpentError, ModelDownError, Re2llmError, is_retried
from ...knowledge.jobs.jobs import Job, JobState, end_job, find_job, is_running, plan_pieces
from ...runtime.budget import Budget
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.outages import OutageGuard
from ...runtime.sharing import shared_services
from ..kinds.base import Work
from ..kinds.registry import job_kind
from .in_flight import leave_if_told

_AT_ONCE = 32
"""Pieces of one job at the same time, if it names no number."""
_RUNS = 8
"""Most attempts whose jobs are remembered: one may have megabytes of sessions."""
_runs: dict[tuple[str, int], asyncio.Future[Job | None]] = {}
"""The attempts' jobs; the one used last comes last."""
_log = logging.getLogger(__name__)


async def plan(job_id: str, attempt: int) -> dict[str, Any] | None:
    """Return the pieces of an attempt, or `None` if it is over.

    Returns:
        `pieces`; `shared`, what they agree on; `at_once`; or `error`, if nothing can be planned.
    """
    job = await _running(job_id, attempt)
    if job is None:
        return None
    try:
        planned = await job_kind(job.kind).plan(_work(job))
    except Re2llmError as error:
        if is_retried(error):
            raise
        return _unplanned(error)
    services = await shared_services()
    async with services.engine.begin() as connection:
        await plan_pieces(connection, job, len(planned.pieces))
    at_once = job.arguments.get("concurrency") or _AT_ONCE
    return {
        "pieces": list(planned.pieces),
        "shared": dict(planned.shared),
        "at_once": at_once,
        "error": None,
    }


async def do_piece(
    job_id: str, attempt: int, shared: Mapping[str, Any], piece: int
) -> dict[str, Any]:
    """Do one piece.

    Returns:
        `counts`; or `failed`, if the model left it unanswered; or `over`, if no other piece need
        be started.
    """
    job = await _running(job_id, attempt)
    if job is None:
        return {"over": True}
    kind, work = job_kind(job.kind), _work(job, shared)
    guard = OutageGuard(await resolve_context(work.context), 1, reflects=kind.reflects)
    try:
        counts = await guard.survive(partial(kind.do, work, piece))
    except Re2llmError as error:
        if is_retried(error):
            raise
        return {"over": True}  # the last step meets it too, and says so
    return {"failed": True} if counts is None else {"counts": dict(counts)}


async def finish(
    job_id: str, attempt: int, shared: Mapping[str, Any], counts: Mapping[str, int]
) -> None:
    """Do what is left of an attempt, and store what came of it."""
    job = await _running(job_id, attempt)
    _runs.pop((job_id, attempt), None)
    if job is None:
        return
    services = await shared_services()
    try:
        finished = await job_kind(job.kind).finish(_work(job, shared, counts))
    except (BudgetSpentError, ModelDownError) as error:
        await _end(job, "stopped", str(_public(error)))
    except Re2llmError as error:
        if is_retried(error):
            raise
        await _end(job, "failed", str(error))
    else:
        leave_if_told()
        async with services.engine.begin() as connection:
            now = await find_job(connection, job.id, sessions=False) or job
            result = {**finished.result, "llm_calls": now.llm_calls, "cost": round(now.cost, 6)}
            stopped = None if finished.stopped is None else _public(finished.stopped)
            if stopped is not None:
                result["stopped"] = stopped.as_dict()
            state = "done" if stopped is None else "stopped"
            reason = "" if stopped is None else str(stopped)
            await end_job(connection, job, state, reason=reason, result=result)
        if finished.clear is not None:
            await finished.clear()


def _public(error: Re2llmError) -> Re2llmError:
    """Return an error as any API key of the domain may read it; the log has all of it."""
    if not isinstance(error, ModelDownError):
        return error
    _log.warning("%s", error)
    return error.unquoted()


def _unplanned(error: Re2llmError) -> dict[str, Any]:
    return {"pieces": [], "shared": {}, "at_once": 1, "error": _public(error).as_dict()}


async def fail(job_id: str, attempt: int, reason: str) -> None:
    """Note that an attempt has failed."""
    job = await _running(job_id, attempt)
    _runs.pop((job_id, attempt), None)
    if job is not None:
        await _end(job, "failed", reason)


async def _end(job: Job, state: JobState, reason: str) -> None:
    leave_if_told()  # an error may be one of the end of this process
    services = await shared_services()
    async with services.engine.begin() as connection:
        await end_job(connection, job, state, reason=reason)


async def _running(job_id: str, attempt: int) -> Job | None:
    """Return a job as its attempt began, while that runs.

    The arguments stay the same for an attempt, and it has many pieces, so they are read once.
    """
    run = (job_id, attempt)
    services = await shared_services()
    async with services.engine.connect() as connection:
        if not await is_running(connection, job_id, attempt):
            _runs.pop(run, None)
            return None
    # No other piece runs between these two lines, so that each finds the reading of the first.
    reading = _runs.pop(run, None) or asyncio.ensure_future(_read(job_id))
    _runs[run] = reading
    while len(_runs) > _RUNS:
        del _runs[next(iter(_runs))]
    try:
        job = await asyncio.shield(reading)
    except BaseException:
        if reading.done() and _runs.get(run) is reading:
            del _runs[run]  # the next piece reads it again
        raise
    if job is None or job.state != "running" or job.attempt != attempt:
        _runs.pop(run, None)
        return None  # since just now
    return job


async def _read(job_id: str) -> Job | None:
    services = await shared_services()
    async with services.engine.connect() as connection:
        return await find_job(connection, job_id)


def _work(
    job: Job,
    shared: Mapping[str, Any] | None = None,
    counts: Mapping[str, int] | None = None,
) -> Work:
    context = Context(**job.arguments["context"], budget=Budget(job=job.id), command=job.kind)
    return Work(context, job.arguments, shared or {}, Counter(counts or {}))
