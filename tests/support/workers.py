"""`re2llm worker` as processes of their own, and what becomes of the jobs that they share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from learnt import libpq

RE2LLM = Path(sys.executable).with_name("re2llm")
_PATIENCE = 240


@dataclass
class Workers:
    """Starts workers on one database, strikes them, and watches their jobs.

    Attributes:
        url: Of the database.
        env: Variables of theirs.
    """

    url: str
    env: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, concurrency: int = 1) -> subprocess.Popen[str]:
        """Start a worker, in a process group of its own."""
        worker = self.popen("worker", "--concurrency", str(concurrency))
        self.running.append(worker)
        return worker

    def python(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a worker that is changed by some code, in a process group of its own."""
        worker = self._popen(sys.executable, "-c", code, *arguments)
        self.running.append(worker)
        return worker

    def popen(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of ours."""
        return self._popen(str(RE2LLM), *command)

    def _popen(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.env, "COLUMNS": "200"},
            start_new_session=True,
        )

    def run(self, *command: str) -> str:
        """Run a command of ours to its end, which has to be a good one, and return its output."""
        process = self.popen(*command)
        output, errors = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 0, errors
        return output

    def submit(self, *command: str) -> str:
        """Submit a job, and return its id."""
        return self.run(*command, "--detach").strip()

    def strike(self, worker: subprocess.Popen[str]) -> None:
        """Kill a worker at once."""
        with suppress(ProcessLookupError):  # it has left by itself
            os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate(timeout=_PATIENCE)
        self.running.remove(worker)

    def stop(self, worker: subprocess.Popen[str]) -> str:
        """Tell a worker to stop, and return what it has said."""
        os.killpg(worker.pid, signal.SIGTERM)
        _, errors = worker.communicate(timeout=_PATIENCE)
        self.running.remove(worker)
        assert worker.returncode == 0, errors
        return errors

    def close(self) -> None:
        for worker in list(self.running):
            self.strike(worker)

    def until(self, holds: Callable[[psycopg.Connection[Any]], Any], what: str = "") -> None:
        """Wait until something holds in the database, however often that is away."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                with psycopg.connect(libpq(self.url), autocommit=True) as connection:
                    while time.monotonic() < end:
                        if holds(connection):
                            return
                        time.sleep(0.02)
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise AssertionError(f"never: {what or holds}; workers: {self._fates()}")

    def _fates(self) -> list[str]:
        """Return what became of each worker: the status that it left with, and its last words."""
        fates = []
        for worker in self.running:
            if worker.poll() is None:
                fates.append("runs")
            else:
                fates.append(f"left with {worker.returncode}: {worker.communicate()[1][-2000:]}")
        return fates

    def until_state(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of some states, and return its row."""
        found: dict[str, Any] = {}

        def there(connection: psycopg.Connection[Any]) -> bool:
            found.update(row(connection, job))
            return found["state"] in states

        self.until(there, f"{job} in {states}, but {found}")
        return found


def row(connection: psycopg.Connection[Any], job: str) -> dict[str, Any]:
    cursor = connection.execute("SELECT * FROM re2llm.job WHERE id = %s", [job])
    values = cursor.fetchone()
    assert values is not None
    return {
        column.name: value for column, value in zip(cursor.description or (), values, strict=True)
    }


def pieces(connection: psycopg.Connection[Any], job: str, status: str) -> int:
    """Count the pieces of all attempts of a job in one of DBOS's states."""
    found = connection.execute(
        "SELECT count(*) FROM re2llm_jobs.workflow_status WHERE name = 'piece' "
        "AND workflow_uuid LIKE %s AND status = %s",
        [f"{job}-%", status],
    ).fetchone()
    return found[0] if found else 0


def model_env(address: str) -> dict[str, str]:
    return {
        "RE2LLM_MODEL": "openai:fault",
        "RE2LLM_BASE_URL": address,
        "RE2LLM_API_KEY": "sk-test",
        "RE2LLM_STRUCTURED": "json_schema",
    }
