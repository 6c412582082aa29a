"""`re2llm serve` under load: `python -m benchmarks.serve --concurrent 100 --requests 2000`.

Starts the server with the offline model on a database of its own, loads the sample films, sends
recommendations, a fixed number at a time, and prints requests a second, response times, errors and
the server's memory. The client takes a little of the same processors. Leaves with 1 on any error.

With `--delay` or `--faults`, a model server on loopback takes so long or fails so often. Then it is
an error if a ranking is not whole or comes after the deadline, and flags are counted instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from re2llm.data.sample import sample_items

from benchmarks.langgraph_server import Server, free_port, load_films, started
from benchmarks.lean_client import Connection

OK = 200
SEED = 0
VIEWERS = 60


@dataclass
class Measured:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    flagged: int = 0
    """Rankings that the model's faults left a mark on."""
    memory: tuple[float, float] = (0.0, 0.0)
    """Resident MiB of the server after the warm-up, and at the end."""


def main() -> None:
    """Measure, print, and leave with 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrent", type=int, default=100, help="requests at the same time")
    parser.add_argument("--requests", type=int, default=2000, help="requests in all")
    parser.add_argument("--warm-up", type=int, default=50, help="requests before measuring")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a model's answer takes")
    parser.add_argument("--faults", type=float, default=0.0, help="share of its answers that fail")
    parser.add_argument("--deadline", type=float, default=30.0, help="seconds for a request, then")
    parser.add_argument("--json", type=Path, help="write the measurements here, too")
    options = parser.parse_args()
    with model_server(options) as settings, serving(options.workers, settings) as server:
        measured = asyncio.run(measure(server, options))
        log = server.log.read_text(errors="replace")
    result = summary(measured)
    for name, value in result.items():
        print(f"{name:<24}{value!s:>12}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    for error in measured.errors[:5]:
        print(error, file=sys.stderr)
    if measured.errors:
        sys.exit(log[-1000:])


def summary(measured: Measured) -> dict[str, Any]:
    """Return the measurements by name."""
    seconds = np.array(measured.seconds or [float("nan")])
    before, after = measured.memory
    return {
        "errors": len(measured.errors),
        "flagged": measured.flagged,
        "requests a second": round(len(measured.seconds) / measured.elapsed, 1),
        "p50 s": round(float(np.percentile(seconds, 50)), 3),
        "p95 s": round(float(np.percentile(seconds, 95)), 3),
        "longest s": round(float(seconds.max()), 3),
        "MiB before": round(before),
        "MiB after": round(after),
        "memory ratio": round(after / before, 3),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


async def measure(server: Server, options: argparse.Namespace) -> Measured:
    """Send the requests, so many at a time."""
    ids = [item.id for item in sample_items()]
    draw = random.Random(SEED)
    histories = [draw.sample(ids, draw.randint(1, 5)) for _ in range(options.requests)]
    measured = Measured()
    stub = bool(options.delay or options.faults)

    async def one(connection: Connection, history: list[str]) -> None:
        started = time.perf_counter()
        try:
            status, body = await connection.post("/v1/recommend", {"history": history})
            answer = json.loads(body)
            problem = fault_of(answer, stub) if status == OK else body.decode()
            flagged = status == OK and bool(answer["flags"])
        except (OSError, EOFError, ValueError, KeyError) as error:
            problem, flagged = repr(error), False
        seconds = time.perf_counter() - started
        if stub and seconds > options.deadline:
            problem = f"took {seconds:.1f} s"
        if problem:
            measured.errors.append(str(problem))
        else:
            measured.seconds.append(seconds)
            measured.flagged += flagged

    async def worker(connection: Connection) -> None:
        for history in waiting:
            await one(connection, history)

    connections = [Connection(server.url) for _ in range(options.concurrent)]
    waiting = iter(histories[: options.warm_up])
    await asyncio.gather(*map(worker, connections))
    for connection in connections:  # by now, all workers take some
        connection.close()
    measured.seconds.clear()
    measured.flagged = 0
    before = server.resident()
    waiting = iter(histories)
    started = time.perf_counter()
    await asyncio.gather(*map(worker, connections))
    measured.elapsed = time.perf_counter() - started
    measured.memory = (before, server.resident())
    for connection in connections:
        connection.close()
    return measured


def fault_of(answer: dict[str, Any], stub: bool) -> str:
    """Return what is wrong with an answer, if anything."""
    if not stub:
        return ", ".join(answer["flags"])
    ids = answer["ranking"]
    return "" if len(ids) == len(set(ids)) > 0 else f"no whole ranking: {ids}"


@contextmanager
def model_server(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Run the stub, if one is wanted, and yield the settings with which it is asked."""
    if not options.delay and not options.faults:
        yield {}
        return
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.stub_model", "--port", str(port)]
    command += ["--delay", str(options.delay), "--faults", str(options.faults)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])  # noqa: S603
    try:
        yield {
            "RE2LLM_MODEL": "openai:stub",
            "RE2LLM_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "RE2LLM_API_KEY": "none",
            "RE2LLM_DEADLINE": str(options.deadline),
            "RE2LLM_MODEL_CONCURRENCY": str(options.concurrent),
            "RE2LLM_CALL_CACHE": "false",
        }
    finally:
        process.terminate()
        process.wait()


@contextmanager
def serving(workers: int, settings: dict[str, str]) -> Iterator[Server]:
    """Load the films, run the server until it is done with, and remove both."""
    folder = Path(tempfile.mkdtemp(prefix="re2llm-bench-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RE2LLM_")}
    env = kept | {"RE2LLM_HOME": str(folder / "home")}
    try:
        load_films(folder, env, viewers=VIEWERS)
        with running(folder, env | settings, workers) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path, env: dict[str, str], workers: int) -> Iterator[Server]:
    """Start the server, wait until it is ready, and end it."""
    port = free_port()
    command = [sys.executable, "-m", "re2llm", "serve"]
    command += ["--port", str(port), "--workers", str(workers)]
    with started(command, port, folder, env, ready="/readyz") as server:
        yield server


if __name__ == "__main__":
    main()
