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
from re2llm.jobs.control import cancel_job
from re2llm.jobs.submit import submit
from re2llm.runtime.options import Context
from workers import Workers


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.file,)


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
        changed = connection.execute(
            "UPDATE re2llm_jobs.workflow_status SET serialization = 'py_pickle', inputs = %s "
            "WHERE workflow_uuid LIKE %s",
            [base64.b64encode(pickled).decode(), f"{planted.id}-%"],
        )
        assert changed.rowcount == 1
    worker = workers.start()
    assert workers.until_state(good.id, "done", "failed", "stopped")["state"] == "done"
    workers.until(
        lambda connection: connection.execute(
            "SELECT 1 FROM re2llm_jobs.workflow_status "
            "WHERE workflow_uuid LIKE %s AND status NOT IN ('ENQUEUED', 'PENDING')",
            [f"{planted.id}-%"],
        ).fetchone()
    )
    workers.stop(worker)
    await cancel_job(Context(), planted.id)
    assert not file.exists()
    with psycopg.connect(libpq(url)) as connection:
        rows = connection.execute(
            "SELECT inputs, output FROM re2llm_jobs.workflow_status WHERE workflow_uuid LIKE %s",
            [f"{good.id}-%"],
        ).fetchall()
        steps = connection.execute(
            "SELECT output FROM re2llm_jobs.operation_outputs WHERE workflow_uuid LIKE %s",
            [f"{good.id}-%"],
        ).fetchall()
    stored = [value for row in [*rows, *steps] for value in row if value is not None]
    assert len(stored) > len(rows) > 2
    for value in stored:
        json.loads(value)
