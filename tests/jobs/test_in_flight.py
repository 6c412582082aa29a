"""Steps in flight: while the database is away, and when their process stops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from dbos import _sys_db as sys_db
from re2llm.errors import DatabaseError, GoneError, InternalError, ModelDownError, PoolerError
from re2llm.jobs.kinds.tidy import Tidy
from re2llm.jobs.queue.control import cancel_job, job
from re2llm.jobs.queue.dbos_client import JOBS, PIECES
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.worker import in_flight, launch, pieces
from re2llm.jobs.worker.intake import Intake
from re2llm.runtime.context import Context
from sqlalchemy import exc

Load = Callable[..., Any]


def refused(kind: type[psycopg.Error]) -> exc.DBAPIError:
    """Return what SQLAlchemy makes of an error of the server."""
    made = exc.DBAPIError.instance("SELECT 1", {}, kind("refused"), psycopg.Error)
    assert isinstance(made, exc.DBAPIError)
    return made


def reported(kind: type[psycopg.Error]) -> DatabaseError:
    """Return what our own statements make of an error of the server."""
    made = DatabaseError("RE2LLM_DATABASE_URL", "No answer.", "")
    made.__cause__ = refused(kind)
    return made


OUTAGES = [
    refused(psycopg.errors.ReadOnlySqlTransaction),
    refused(psycopg.errors.AdminShutdown),
    refused(psycopg.errors.DiskFull),
    exc.TimeoutError("QueuePool limit"),
    ConnectionResetError(),
    DatabaseError("RE2LLM_DATABASE_URL", "No answer.", ""),
    reported(psycopg.errors.AdminShutdown),
    reported(psycopg.errors.TooManyConnections),
]
OTHERS = [
    refused(psycopg.errors.UndefinedColumn),
    refused(psycopg.errors.UniqueViolation),
    refused(psycopg.errors.InsufficientPrivilege),
    refused(psycopg.errors.QueryCanceled),
    refused(psycopg.errors.ProgramLimitExceeded),
    refused(psycopg.OperationalError),  # psycopg's own, such as of too many parameters
    reported(psycopg.errors.QueryCanceled),
    reported(psycopg.errors.InsufficientPrivilege),
    FileNotFoundError(),
    PoolerError("RE2LLM_DATABASE_URL", "It pools by transaction.", ""),
]


@pytest.fixture
def leaving() -> Iterator[asyncio.Event]:
    """What says that the process stops; not after the test."""
    yield in_flight.leaving
    in_flight.leaving.clear()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "PAUSES", (0.0, 0.0))


async def failing(error: Exception, times: int) -> int:
    """Do a step that fails some times, and return how often it was tried."""
    tried = 0

    async def step() -> int:
        nonlocal tried
        tried += 1
        if tried <= times:
            raise error
        return tried

    return await in_flight.keep(step)


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
async def test_a_step_outlasts_any_outage(error: Exception, hasty: None) -> None:
    assert await failing(error, 100) == 101
    assert not in_flight.steps


@pytest.mark.parametrize("error", OTHERS, ids=repr)
async def test_a_step_gives_up_what_does_not_pass(error: Exception, hasty: None) -> None:
    with pytest.raises(type(error)):
        await failing(error, 100)
    assert not in_flight.steps


async def test_a_step_whose_session_was_deleted_meanwhile_is_tried_without_it(hasty: None) -> None:
    gone = GoneError("sessions", "A training session was deleted meanwhile.", "")
    assert await failing(gone, 1) == 2
    with pytest.raises(GoneError):
        await failing(gone, 100)


def test_dbos_waits_while_a_server_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys_db, "retriable_postgres_exception", None)
    launch.outlast_outages()
    retried: Callable[[Exception], bool] = sys_db.retriable_postgres_exception
    assert retried(refused(psycopg.errors.ReadOnlySqlTransaction))
    assert retried(refused(psycopg.errors.AdminShutdown))
    assert not retried(refused(psycopg.errors.UndefinedColumn))
    assert not retried(refused(psycopg.errors.QueryCanceled))


@pytest.mark.parametrize(
    "error",
    [
        InternalError("re2llm", "An unexpected RuntimeError.", ""),
        ModelDownError("offline", "moved", "It is gone."),
        PoolerError("RE2LLM_DATABASE_URL", "It pools by transaction.", ""),
    ],
    ids=repr,
)
async def test_what_fails_as_a_process_stops_is_no_outcome(
    loaded: Load, monkeypatch: pytest.MonkeyPatch, leaving: asyncio.Event, error: Exception
) -> None:
    context = Context(domain=await loaded(2))
    made = await submit(context, "tidy", {})
    run = (made.id, made.attempt)

    async def fail(*_: object) -> None:
        leaving.set()
        raise error

    for name in ("plan", "do", "finish"):
        monkeypatch.setattr(Tidy, name, fail)
    steps = (
        lambda: pieces.plan(*run),
        lambda: pieces.do_piece(*run, {}, 0),
        lambda: pieces.finish(*run, {}, {}),
        lambda: pieces.fail(*run, "It failed."),
    )
    for step in steps:
        with pytest.raises(asyncio.CancelledError):
            await in_flight.keep(step)
    assert (await job(context, made.id)).job.state == "running"
    await cancel_job(context, made.id)


async def test_a_worker_holds_pieces_until_it_takes_no_more_and_all_are_noted() -> None:
    read: list[str] = []
    active = {PIECES: 1}
    database = SimpleNamespace(
        get_queue=lambda name: read.append(name) or SimpleNamespace(_worker_concurrency=None)
    )
    instance = SimpleNamespace(
        _sys_db=database,
        _active_workflows_set=SimpleNamespace(count_for_queue=active.__getitem__),
        _workflow_tasks={asyncio.create_task(asyncio.sleep(60))},
    )
    intake = Intake(instance, 4)
    assert database.get_queue(PIECES)._worker_concurrency == 4
    assert database.get_queue(JOBS)._worker_concurrency is None
    intake.close()
    assert not intake.closed  # what was read before may still be taken
    for name in (PIECES, JOBS):
        assert database.get_queue(name)._worker_concurrency == 0
    assert intake.closed
    assert intake.pieces == 1
    await intake.drop()
    assert all(task.cancelled() for task in instance._workflow_tasks)


def test_a_process_whose_threads_do_not_end_is_ended_by_force() -> None:
    program = (
        "import threading, time; from re2llm.commands.interrupts import end_within; "
        "threading.Thread(target=time.sleep, args=[600]).start(); end_within(0.1)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
