"""The processes of `re2llm serve --workers` end when they are told to."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from re2llm.interfaces.api.workers import Workers
from uvicorn import Config
from uvicorn.supervisors.multiprocess import SIGNALS, Process

PATIENCE = 20
"""Seconds that a worker has to answer."""


@pytest.fixture
def workers() -> Iterator[Workers]:
    """A supervisor of one worker, which ends without having answered."""
    usual = {number: signal.getsignal(number) for number in SIGNALS}
    made = Workers(Config("none:app", timeout_worker_healthcheck=PATIENCE), [])
    for number, handler in usual.items():
        signal.signal(number, handler)
    worker = Process(made.config, [])
    started: Any = SimpleNamespace(
        # Still there when it is looked at: it ends while its sign of life is waited for.
        is_alive=lambda: True,
        kill=lambda: None,
        join=lambda: None,
        pid=1,
        exitcode=0,
    )
    worker.process = started
    made.processes = [worker]
    yield made
    worker.parent_conn.close()


def test_a_worker_that_ended_with_its_group_is_not_waited_for(workers: Workers) -> None:
    workers.signal_queue.append(signal.SIGTERM)
    (before,) = workers.processes
    began = time.monotonic()
    workers.keep_subprocess_alive()
    assert time.monotonic() - began < PATIENCE / 2
    assert workers.processes == [before]
    workers.handle_signals()
    assert workers.should_exit.is_set()


def test_a_worker_that_ended_by_itself_is_replaced(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Process] = []

    def start(self: Process) -> None:
        started.append(self)

    monkeypatch.setattr(Process, "start", start)
    workers.keep_subprocess_alive()
    assert workers.processes == started
    assert len(started) == 1
