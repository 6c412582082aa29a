"""Starts DBOS in a worker, with what a worker needs differently."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import deque
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from dbos import DBOS, DBOSConfig
from dbos import _scheduler as scheduler
from dbos import _sys_db as sys_db  # pyright: ignore[reportPrivateUsage]
from dbos._serialization import DefaultSerializer
from dbos._sys_db import SystemDatabase
from dbos._utils import retriable_postgres_exception

from ...knowledge.engine import database_url, is_outage, make_sync_engine
from ...knowledge.jobs.schedules import SCHEMA
from ...runtime.services import Services
from ..queue.dbos_client import APP, JOBS, JSON, PIECES, POLL
from ..schedules.ticks import next_tick
from . import workflows  # noqa: F401  # pyright: ignore[reportUnusedImport]  # DBOS knows them then
from .intake import Intake

_MADE_UP = 3
"""Missed ticks to check: when clocks are put back, the last one may not count."""
_WINDOWS = (0.05, 1, 32, 400)
"""Days back in which to look for them: a rare tick needs more, a frequent one has many."""
_backfill = scheduler.backfill_schedule
_enqueue: Any = scheduler._enqueue_scheduled_workflow  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def launch(services: Services, name: str, version: str, concurrency: int) -> Intake:
    """Start to take work.

    Args:
        services: The process's services.
        name: This worker's name.
        version: The version of the code; jobs and pieces of another one are not taken.
        concurrency: Pieces at the same time.
    """
    url = await asyncio.to_thread(database_url, services.settings)
    engine = make_sync_engine(url, services.settings, pool_size=services.settings.pool_size)
    config: DBOSConfig = {
        "name": APP,
        "system_database_url": url.replace("+psycopg", ""),
        "system_database_engine": engine,
        "dbos_system_schema": SCHEMA,
        "serializer": JSON,
        "use_listen_notify": False,  # poolers do not pass them on
        "executor_id": name,
        "application_version": version,
        "log_level": "CRITICAL",  # what keeps it from starting is raised, too
        "enable_otlp": False,
        "scheduler_polling_interval_sec": 5.0,
    }
    DefaultSerializer.deserialize = _refuse_pickle
    share_ticks()
    pass_over_missed_ticks()
    outlast_outages()
    instance = DBOS(config=config)
    DBOS.listen_queues([JOBS, PIECES])
    # From within the loop, so that the workflows run on it, beside its services.
    DBOS.launch()
    logging.getLogger("dbos").setLevel(logging.ERROR)
    await _register(JOBS)
    await _register(PIECES, worker_concurrency=1)  # until `Intake` says how many
    return Intake(instance, concurrency)


async def _register(queue: str, **options: Any) -> None:
    await DBOS.register_queue_async(
        queue, polling_interval_sec=POLL, on_conflict="always_update", **options
    )


def outlast_outages() -> None:
    """Have DBOS wait while a server is read-only or the like, as it does for one that is away.

    By itself, it would take what it cannot note for an error of the job.
    """
    module: Any = sys_db
    module.retriable_postgres_exception = _passes


def _passes(error: Exception) -> bool:
    return retriable_postgres_exception(error) or is_outage(error)


def share_ticks() -> None:
    """Have the ticks of schedules be of no version: any worker that is up takes them.

    DBOS gives them to the version that was registered last, which may be of a release that was
    taken back: then nobody does.
    """
    database: Any = SystemDatabase
    database.get_latest_application_version = _no_version
    database._is_latest_version = _takes_what_has_none  # noqa: SLF001


def pass_over_missed_ticks() -> None:
    """Have DBOS pass over missed ticks that another one follows: they would submit nothing.

    By itself, it starts a workflow for each, after a break of a week thousands.
    """
    module: Any = scheduler
    module.backfill_schedule = _backfill_last
    module._enqueue_scheduled_workflow = _enqueue_last  # noqa: SLF001


def _backfill_last(
    database: SystemDatabase, name: str, start: dt.datetime, end: dt.datetime
) -> list[str]:
    schedule = database.get_schedule(name)
    if schedule is not None:
        cron, zone = schedule["schedule"], schedule["cron_timezone"] or "UTC"
        start = _before_last(cron, ZoneInfo(zone), start, end)
    return _backfill(database, name, start, end)


def _before_last(cron: str, zone: ZoneInfo, start: dt.datetime, end: dt.datetime) -> dt.datetime:
    """Return a time after which only the last few of the missed ticks are due."""
    # Forwards, as ticks are found everywhere: backwards, croniter errs where clocks change.
    for days in _WINDOWS:
        since = max(start, end - dt.timedelta(days=days))
        ticks = croniter(cron, since.astimezone(zone), second_at_beginning=True)
        due = takewhile(lambda tick: tick < end, ticks.all_next(dt.datetime))
        last = deque(due, maxlen=_MADE_UP)
        if len(last) == _MADE_UP:
            return last[0].astimezone(dt.UTC) - dt.timedelta(seconds=1)
    return start


def _enqueue_last(
    database: SystemDatabase,
    workflow: str,
    planned: dt.datetime,
    workflow_id: str,
    name: str,
    given: Any,
    *others: Any,
) -> None:
    # Also those that a machine has slept through, while its worker was up.
    if next_tick(given["cron"], given["zone"], planned) > dt.datetime.now(dt.UTC):
        _enqueue(database, workflow, planned, workflow_id, name, given, *others)


def _no_version(*_: object, **__: object) -> dict[str, None]:
    return {"version_name": None}


def _takes_what_has_none(*_: object, **__: object) -> bool:
    return True


def _refuse_pickle(cls: DefaultSerializer, serialized_data: str) -> Any:
    """Stand in for DBOS's reader of pickles, which any row may ask for.

    Otherwise anyone who can write to the queues could run code on every worker.
    """
    del cls, serialized_data
    raise TypeError("A row of the queues is pickled, which this worker does not read.")
