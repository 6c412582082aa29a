"""A `langgraph dev` of its own, with the offline model and the sample films, to be measured."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from re2llm.data.sample import sample_items, simulate_sessions

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
START_UP = 300


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: Its address.
        process: The leader of its process group.
        log: What it writes.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def resident(self) -> float:
        """Return its resident memory in MiB, without the database's."""
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "stat").read_text().rpartition(")")[2].split()
                pages = int((folder / "statm").read_text().split()[1])
                name = (folder / "comm").read_text()
            except OSError:
                continue  # it has just ended
            if int(words[2]) == self.process.pid and "postgres" not in name:
                total += pages * os.sysconf("SC_PAGE_SIZE")
        return total / 2**20


@contextmanager
def serving(jobs: int) -> Iterator[Server]:
    """Load the films and run a server in a folder of its own.

    Args:
        jobs: Runs that it works on at the same time.
    """
    folder = Path(tempfile.mkdtemp(prefix="re2llm-bench-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RE2LLM_")}
    env = kept | {
        "RE2LLM_HOME": str(folder / "home"),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [kept.get("PYTHONPATH")])]),
    }
    try:
        load_films(folder, env)
        write_graphs(folder)
        with running(folder, env, jobs) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load_films(folder: Path, env: dict[str, str], *, viewers: int = 0) -> None:
    """Load the sample films as the domain `films`, with the sessions of simulated viewers."""
    given = folder / "films"
    given.mkdir()
    rows = [{"id": i.id, "title": i.title, **i.attributes} for i in sample_items()]
    (given / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    load = [BIN / "re2llm", "load", "jsonl", given, "--domain", "films"]
    if viewers:
        sessions = simulate_sessions(viewers, seed=1)
        lines = [json.dumps({"history": s.history, "target": s.target}) for s in sessions]
        (folder / "sessions.jsonl").write_text("\n".join(lines) + "\n")
        load += ["--sessions", folder / "sessions.jsonl"]
    subprocess.run([*map(str, load)], check=True, env=env, stdout=subprocess.DEVNULL)  # noqa: S603


def write_graphs(folder: Path) -> None:
    """Write langgraph.json as it is in the repository, with what is measured beside it."""
    config = json.loads((HERE.parent / "langgraph.json").read_text())
    config["graphs"]["nothing"] = "watched_app:nothing"
    config["http"]["app"] = "watched_app:app"
    (folder / "langgraph.json").write_text(json.dumps(config))


@contextmanager
def running(folder: Path, env: dict[str, str], jobs: int) -> Iterator[Server]:
    """Start the server, wait until it answers, and end it."""
    port = free_port()
    command = [str(BIN / "langgraph"), "dev", "--no-browser", "--no-reload"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", str(jobs)]
    with started(command, port, folder, env, ready="/ok") as server:
        yield server


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(
    command: Sequence[str], port: int, folder: Path, env: dict[str, str], *, ready: str
) -> Iterator[Server]:
    """Start a server on a port, wait until it is ready, and end it with its process group.

    Args:
        folder: Where it runs, and its log is.
        ready: The path that answers once it is.
    """
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}", process, folder / "server.log")
    try:
        _wait_for(server, ready)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(server: Server, path: str) -> None:
    end = time.monotonic() + START_UP
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}{path}", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    sys.exit(f"The server does not start:\n{server.log.read_text()[-3000:]}")
