"""The workflows that DBOS keeps going: a job, its pieces, and the ticks of schedules.

DBOS stores which steps are done, and counts. Everything else is in our own tables.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync
from dbos._serialization import PortableWorkflowError

from ..queue.dbos_client import LAST, PIECE, PIECES, POLL, RUN, TICK
from ..schedules.ticks import submit_tick
from . import pieces
from .in_flight import keep, leave_if_told

_log = logging.getLogger(__name__)
_PROBES = 3
"""Pieces beyond those in flight that the model may leave unanswered before no more are started."""


@DBOS.step(name="plan")
async def _plan(job_id: str, attempt: int) -> dict[str, Any] | None:
    return await keep(lambda: pieces.plan(job_id, attempt))


@DBOS.step(name="do")
async def _do(job_id: str, attempt: int, shared: Mapping[str, Any], piece: int) -> dict[str, Any]:
    return await keep(lambda: pieces.do_piece(job_id, attempt, shared, piece))


@DBOS.step(name="finish")
async def _finish(
    job_id: str, attempt: int, shared: Mapping[str, Any], counts: Mapping[str, int]
) -> None:
    await keep(lambda: pieces.finish(job_id, attempt, shared, counts))


@DBOS.step(name="fail")
async def _fail(job_id: str, attempt: int, reason: str) -> None:
    await keep(lambda: pieces.fail(job_id, attempt, reason))


@DBOS.step(name="submit")
async def _submit(planned: dt.datetime, given: Mapping[str, Any]) -> None:
    await keep(lambda: submit_tick(planned, given))


@DBOS.workflow(name=PIECE, max_recovery_attempts=None)
async def run_piece(
    job_id: str, attempt: int, shared: Mapping[str, Any], piece: int
) -> dict[str, Any]:
    """Do one piece, on any worker."""
    return await _do(job_id, attempt, shared, piece)


@DBOS.workflow(name=LAST, max_recovery_attempts=None)
async def run_last(
    job_id: str, attempt: int, shared: Mapping[str, Any], counts: Mapping[str, int]
) -> None:
    """Do what is left of a job, on any worker: it may be as much as all its pieces."""
    try:
        await _finish(job_id, attempt, shared, counts)
    except Exception as error:
        await _give_up(job_id, attempt, error)
        raise


@DBOS.workflow(name=RUN, max_recovery_attempts=None)
async def run_job(job_id: str, attempt: int) -> None:
    """Plan a job, and hand out its pieces in order, some at a time, and then its last step."""
    try:
        plan = await _plan(job_id, attempt)
        if plan is None:
            return
        if plan["error"] is not None:
            error = plan["error"]
            reason = f"{error['field']}: {error['problem']} {error['remedy']}".strip()
            await _fail(job_id, attempt, reason)
            return
        counts = await _hand_out(job_id, attempt, plan)
        with SetWorkflowID(f"{job_id}-{attempt}-{LAST}"):
            last = await DBOS.enqueue_workflow_async(
                PIECES, run_last, job_id, attempt, plan["shared"], counts
            )
        await last.get_result(polling_interval_sec=POLL)
    except Exception as error:  # a bug, or a piece that was cancelled; the job is told
        await _give_up(job_id, attempt, error)
        raise


async def _give_up(job_id: str, attempt: int, error: Exception) -> None:
    leave_if_told()  # what DBOS raises then is no outcome of the job
    there = isinstance(error, PortableWorkflowError)  # in a workflow that this one waits for
    name = error.name if there else type(error).__name__
    # Its words may quote statements and prompts, and API keys can read the reason.
    reason = f"An unexpected {name}; the worker's log has its trace."
    _log.error("%s failed", job_id, exc_info=error)
    await _fail(job_id, attempt, reason)


async def _hand_out(job_id: str, attempt: int, plan: Mapping[str, Any]) -> Counter[str]:
    counts: Counter[str] = Counter()
    in_flight: list[WorkflowHandleAsync[dict[str, Any]]] = []
    waiting = iter(plan["pieces"])
    failed, over = 0, False
    while True:
        while not over and len(in_flight) < plan["at_once"]:
            piece = next(waiting, None)
            if piece is None:
                break
            with SetWorkflowID(f"{job_id}-{attempt}-{piece}"):
                in_flight.append(
                    await DBOS.enqueue_workflow_async(
                        PIECES, run_piece, job_id, attempt, plan["shared"], piece
                    )
                )
        if not in_flight:
            return counts
        done = await DBOS.wait_first_async(in_flight, polling_interval_sec=POLL)
        in_flight.remove(done)
        outcome = await done.get_result(polling_interval_sec=POLL)
        counts.update(outcome.get("counts", {}))
        failed = failed + 1 if "failed" in outcome else 0
        over |= "over" in outcome or failed >= plan["at_once"] + _PROBES


@DBOS.workflow(name=TICK, max_recovery_attempts=None)
async def tick(planned: dt.datetime, given: Mapping[str, Any]) -> None:
    """Submit the job of a schedule, unless a later tick does."""
    await _submit(planned, given)
