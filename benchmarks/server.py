"""A LangGraph server under load: `python benchmarks/server.py --concurrent 100 --requests 5000`.

Starts `langgraph dev` with the offline model on a database of its own, loads the sample films,
sends `recommend` runs, a fixed number at a time, and prints errors, response times, throughput and
the server's memory. Leaves with 1 if a run failed or the server reported a blocking call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from re2llm.sessions.sample import sample_items

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
START_UP = 300
SEED = 0


@dataclass
class Measured:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """Resident memory of the server in MiB, at equal distances."""


def main() -> None:
    """Measure, print, and leave with 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrent", type=int, default=10, help="runs at the same time")
    parser.add_argument("--requests", type=int, default=100, help="runs in all")
    parser.add_argument("--warm-up", type=int, default=5, help="runs before measuring")
    parser.add_argument("--jobs", type=int, default=None, help="runs that the server works on")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="re2llm-bench-"))
    try:
        with serving(folder, options.jobs or options.concurrent) as (url, process):
            started = time.perf_counter()
            measured = asyncio.run(send(url, process, options))
            elapsed = time.perf_counter() - started
        log = (folder / "server.log").read_text(errors="replace")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures = summary(measured, elapsed, log, options)
    for name, value in figures.items():
        print(f"{name:<24} {value}")
    for error in measured.errors[:5]:
        print("error:", error, file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(bool(measured.errors or figures["blocking calls"]))


def summary(
    measured: Measured, elapsed: float, log: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the figures by name."""
    seconds = np.array(measured.seconds or [float("nan")])
    memory = measured.memory
    # Caches fill at first; what grows after the first fifth is a leak.
    settled = memory[len(memory) // 5 :]
    return {
        "requests": options.requests,
        "concurrent": options.concurrent,
        "errors": len(measured.errors),
        "blocking calls": log.count("BlockingError"),
        "exhausted pools": log.count("QueuePool limit"),
        "seconds": round(elapsed, 1),
        "per second": round(len(measured.seconds) / elapsed, 2),
        "p50 s": round(float(np.percentile(seconds, 50)), 3),
        "p95 s": round(float(np.percentile(seconds, 95)), 3),
        "longest s": round(float(seconds.max()), 3),
        "memory MiB": " ".join(f"{one:.0f}" for one in memory),
        "growth MiB": round(settled[-1] - settled[0], 1) if settled else 0.0,
    }


async def send(url: str, process: subprocess.Popen[bytes], options: argparse.Namespace) -> Measured:
    """Send the runs, so many at a time, and read the memory ten times on the way."""
    ids = [item.id for item in sample_items()]
    draw = random.Random(SEED)
    histories = [draw.sample(ids, draw.randint(1, 5)) for _ in range(options.requests)]
    measured = Measured()
    waiting = iter(enumerate(histories))
    every = max(1, options.requests // 10)
    limits = httpx.Limits(max_connections=options.concurrent)

    async def one(history: list[str]) -> None:
        started = time.perf_counter()
        body = {"assistant_id": "recommend", "input": {"domain": "films", "history": history}}
        try:
            answer = (await http.post("/runs/wait", json=body)).raise_for_status().json()
            problem = answer.get("error") or answer.get("__error__") or answer["flags"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            problem = repr(error)
        if problem:
            measured.errors.append(str(problem))
        else:
            measured.seconds.append(time.perf_counter() - started)

    async def worker() -> None:
        for number, history in waiting:
            await one(history)
            if number % every == 0:
                measured.memory.append(resident(process.pid))

    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as http:
        for history in histories[: options.warm_up]:
            await one(history)
        measured.seconds.clear()
        await asyncio.gather(*(worker() for _ in range(options.concurrent)))
    measured.memory.append(resident(process.pid))
    return measured


def resident(leader: int) -> float:
    """Return the resident memory of a process group in MiB, without the database's."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:
            continue  # it has just ended
        if int(words[2]) == leader and "postgres" not in (folder / "comm").read_text():
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return total / 2**20


@contextmanager
def serving(folder: Path, jobs: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Load the films and run a server; yield its address and its process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RE2LLM_")}
    env = kept | {"RE2LLM_HOME": str(folder / "home"), "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    given = folder / "films"
    given.mkdir()
    rows = [{"id": i.id, "title": i.title, **i.attributes} for i in sample_items()]
    (given / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    load = [BIN / "re2llm", "load", "jsonl", given, "--domain", "films"]
    subprocess.run([*map(str, load)], check=True, env=env, stdout=subprocess.DEVNULL)  # noqa: S603
    shutil.copy(ROOT / "langgraph.json", folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(BIN / "langgraph"), "dev", "--no-browser", "--no-reload"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", str(jobs)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, folder / "server.log")
        yield url, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + START_UP
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/ok", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    sys.exit(f"The server does not start:\n{log.read_text()[-3000:]}")


if __name__ == "__main__":
    main()
