"""The processes of `re2llm serve --workers` share the work, and end when they are told to."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ports import free_port
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
    workers.keep_subprocess_alive()  # as the supervisor does once more, with the signal handled
    assert workers.processes == [before]


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


APPLICATION = """
import os
from re2llm.interfaces.api.workers import Workers, listening_sockets
from uvicorn import Config

async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-length", b"%d" % len(b"%d" % os.getpid()))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % os.getpid()})

def main(port):
    config = Config("application:app", port=port, workers=2, lifespan="off", log_level="warning")
    Workers(config, listening_sockets(config)).run()
"""


STUCK = """
import asyncio, sys, time
from re2llm.interfaces.api import application, server
from re2llm.interfaces.api.options import ServeOptions
from re2llm.commands.interrupts import leave_threads_within
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def stuck(request):
    await asyncio.to_thread(time.sleep, 600)

async def ready(request):
    return Response()

application.create_app = lambda options: Starlette(routes=[Route("/", stuck), Route("/ok", ready)])
server._PATIENCE = 0.2

if __name__ == "__main__":
    server.run_server(
        ServeOptions(), host="127.0.0.1", port=int(sys.argv[1]), workers=int(sys.argv[2]),
        root_path="", drain_seconds=1, leave=leave_threads_within,
    )
"""


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_thread_that_goes_on_does_not_hold_up_the_end(tmp_path: Path, workers: int) -> None:
    program, port = tmp_path / "stuck.py", free_port()
    program.write_text(STUCK)
    process = subprocess.Popen([sys.executable, str(program), str(port), str(workers)])
    try:
        until = time.monotonic() + 60
        while not asked_at_once(port, 1, "/ok"):
            assert time.monotonic() < until
            time.sleep(0.1)
        waiting = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        waiting.request("GET", "/")
        time.sleep(0.5)  # until it computes
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        waiting.close()
    finally:
        process.kill()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Two workers that answer with their number, and their supervisor."""
    (tmp_path / "application.py").write_text(APPLICATION)
    port = free_port()
    code = f"import application; application.main({port})"
    command = [sys.executable, "-c", f"if __name__ == '__main__': {code}"]
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True
    )
    try:
        while len(set(asked_at_once(port, 40))) < 2:
            time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def asked_at_once(port: int, count: int, path: str = "/") -> list[str]:
    """Who answers on connections that are all open at once; none if nobody listens yet."""
    made = [http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(count)]
    try:
        for one in made:
            one.connect()
        return [answer(one, path) for one in made]
    except ConnectionRefusedError:
        return []
    finally:
        for one in made:
            one.close()


def answer(connection: http.client.HTTPConnection, path: str = "/") -> str:
    connection.request("GET", path)
    return connection.getresponse().read().decode()


Served = tuple[int, subprocess.Popen[str]]


@pytest.mark.long
def test_connections_that_come_at_once_are_spread(served: Served) -> None:
    for _ in range(3):
        counts = Counter(asked_at_once(served[0], 100))
        assert len(counts) == 2
        assert min(counts.values()) >= 25, counts  # by chance, once in a million


@pytest.mark.long
def test_a_second_server_does_not_share_the_port(served: Served, tmp_path: Path) -> None:
    code = f"import application; application.main({served[0]})"
    second = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert "in use" in second.stderr


@pytest.mark.long
def test_a_rolling_restart_leaves_nobody_waiting(served: Served) -> None:
    port, process = served
    before = set(asked_at_once(port, 40))
    failed: list[str] = []
    seen: list[str] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                seen.extend(asked_at_once(port, 1))
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 60
    while (len(set(seen) - before) < 2 or before & set(seen[-40:])) and time.monotonic() < until:
        time.sleep(0.1)
    done.set()
    for thread in threads:
        thread.join()
    assert len(set(seen) - before) == 2
    # A worker that ends cuts a connection whose request has not come yet.
    assert len(seen) > 40
    assert len(failed) <= 2, failed


@pytest.mark.long
def test_a_worker_that_was_killed_is_replaced_on_its_socket(served: Served) -> None:
    port, _ = served
    before = set(asked_at_once(port, 40))
    os.kill(int(min(before)), signal.SIGKILL)
    time.sleep(1.0)  # noticed after half a second
    after = set(asked_at_once(port, 60))
    assert len(after) == 2
    assert min(before) not in after
