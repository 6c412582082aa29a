"""The HTTP API over real HTTP: in a thread, or as the command `re2llm serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from ports import free_port
from re2llm.interfaces.api.application import create_app
from re2llm.interfaces.api.heads import LimitedProtocol
from re2llm.interfaces.api.options import ServeOptions
from uvicorn import Config, Server

START_UP = 120


@contextmanager
def serving_api(options: ServeOptions | None = None) -> Iterator[str]:
    """Run the application in a thread with an event loop of its own; yield its address."""
    config = Config(
        partial(create_app, options),
        factory=True,
        port=0,
        lifespan="on",
        log_config=None,
        http=LimitedProtocol,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = time.monotonic() + START_UP
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@dataclass
class Command:
    """A running `re2llm serve`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def serve_command(log: Path, *options: str, **env: str) -> Iterator[Command]:
    """Run the command until it is ready; end it if it has not ended."""
    port = free_port()
    words = [sys.executable, "-m", "re2llm", "serve", "--port", str(port), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, stdout=output, stderr=output, env={**os.environ, **env}, start_new_session=True
        )
    running = Command(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until_ready(running)
        yield running
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(running: Command) -> None:
    end = time.monotonic() + START_UP
    while time.monotonic() < end:
        assert running.process.poll() is None, running.log.read_text()[-3000:]
        try:
            if httpx.get(f"{running.url}/readyz", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(running.log.read_text()[-3000:])


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return a response's problem, after checking its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["type"] == "about:blank" or document["type"].startswith("urn:re2llm:")
    assert document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return document
