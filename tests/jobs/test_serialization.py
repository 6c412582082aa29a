"""What the queues hold is JSON, and a pickle in them runs on no worker."""

import base64
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from learnt import libpq
from re2llm.jobs.queue.control import cancel_job
from re2llm.jobs.queue.submit import submit
from re2llm.runtime.context import Context
from workers import Workers


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.file,)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_queues_hold_json_and_no_pickle_is_read(
    loaded: Callable[..., Any], workers: Workers, url: str, tmp_path: Path
) -> None:
    domain = await loaded(3)
    given = {"max_hints": 1000, "concurrency": 1}
    good = await submit(Context(domain=domain), "learn", given)
    planted = await submit(Context(domain=domain), "tidy", {})
    file = tmp_path / "ran"
    pickled = pickle.dumps({"args": (Planted(file),), "kwargs": {}})
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for table, column, value in (
            ("workflow_input", "inputs", base64.b64encode(pickled).decode()),
            ("workflow_status", "serialization", "py_pickle"),
        ):
            changed = connection.execute(
                f"UPDATE re2llm_jobs.{table} SET {column} = %s WHERE workflow_uuid = %s",
                [value, f"{planted.id}-1"],
            )
            assert changed.rowcount == 1, table
    worker = workers.start()
    assert workers.until_state(good.id, "done", "failed", "stopped")["state"] == "done"
    workers.until(
        lambda connection: connection.execute(
            "SELECT 1 FROM re2llm_jobs.workflow_status "
            "WHERE workflow_uuid = %s AND status NOT IN ('ENQUEUED', 'PENDING')",
            [f"{planted.id}-1"],
        ).fetchone()
    )
    workers.stop(worker)
    await cancel_job(Context(), planted.id)
    assert not file.exists()
    with psycopg.connect(libpq(url)) as connection:
        for table, column in (
            ("workflow_input", "inputs"),
            ("workflow_output", "output"),
            ("operation_outputs", "output"),
        ):
            stored = connection.execute(
                f"SELECT {column} FROM re2llm_jobs.{table} "
                f"WHERE workflow_uuid LIKE %s AND {column} IS NOT NULL",
                [f"{good.id}-%"],
            ).fetchall()
            assert stored, table
            for (value,) in stored:
                json.loads(value)
