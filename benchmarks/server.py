"""A LangGraph server under load: `python benchmarks/server.py --concurrent 100 --requests 5000`.

Starts `langgraph dev` with the offline model on a database of its own, loads the sample films,
sends runs without a thread, a fixed number at a time, and prints errors, response times, throughput
and the server's memory. It does so for `recommend`, and on a server of its own for a graph that
does nothing, which shows what the server itself costs. Leaves with 1 if a run failed, the server
reported a blocking call, or a pool of connections was exhausted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from langgraph_server import Server, serving
from re2llm.data.sample import sample_items
from re2llm.records import counted

GRAPHS = ("recommend", "nothing")
SEED = 0
SAMPLES = 10
BEAT = 0.25
WRONG = ("errors", "blocking calls", "exhausted pools")


@dataclass
class Measured:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stalls: list[float] = field(default_factory=list)
    """Seconds that `/ok` took beside the runs: for so long the server did nothing else."""
    memory: dict[int, float] = field(default_factory=dict)
    """Resident memory of the server in MiB, by the runs that it has done."""
    connections: int = 0
    elapsed: float = 0.0


def main() -> None:
    """Measure, print, and leave with 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrent", type=int, default=10, help="runs at the same time")
    parser.add_argument("--requests", type=int, default=100, help="runs in all, of each graph")
    parser.add_argument("--warm-up", type=int, default=5, help="runs before measuring")
    parser.add_argument("--jobs", type=int, default=None, help="runs that the server works on")
    parser.add_argument("--json", type=Path, help="write the measurements here, too")
    parser.add_argument("--log", type=Path, help="write what the servers log here")
    options = parser.parse_args()
    columns: dict[str, dict[str, Any]] = {}
    for graph in GRAPHS:
        with serving(options.jobs or options.concurrent) as server:
            measured = asyncio.run(measure(server, graph, options))
            log = server.log.read_text(errors="replace")
        columns[graph] = summary(measured, log)
        if options.log:
            options.log.with_name(f"{graph}-{options.log.name}").write_text(log)
        for error in measured.errors[:5]:
            print(f"{graph}: {error}", file=sys.stderr)
    print(
        f"{counted(options.requests, 'run')}, {options.concurrent} at a time, "
        f"{counted(os.cpu_count() or 1, 'core')}, ",
        end="",
    )
    print(f"load {os.getloadavg()[1]:.1f} in the last 5 minutes")
    for name in columns[GRAPHS[0]]:
        print(f"{name:<24}", *(f"{columns[graph][name]!s:>12}" for graph in GRAPHS))
    if options.json:
        options.json.write_text(json.dumps(columns, indent=2) + "\n")
    sys.exit(any(column[name] for column in columns.values() for name in WRONG))


def summary(measured: Measured, log: str) -> dict[str, Any]:
    """Return the measurements by name."""
    seconds = np.array(measured.seconds or [float("nan")])
    memory = measured.memory
    # Caches fill in the first fifth.
    settled = [memory[done] for done in sorted(memory)][len(memory) // 5 :]
    return {
        "errors": len(measured.errors),
        "blocking calls": log.count("BlockingError"),
        "exhausted pools": log.count("QueuePool limit"),
        "most connections": measured.connections,
        "seconds": round(measured.elapsed, 1),
        "runs a second": round(len(measured.seconds) / measured.elapsed, 1),
        "p50 s": round(float(np.percentile(seconds, 50)), 2),
        "p95 s": round(float(np.percentile(seconds, 95)), 2),
        "longest s": round(float(seconds.max()), 2),
        "longest stall s": round(max(measured.stalls, default=0.0), 2),
        **{f"MiB after {done:,}": round(one) for done, one in sorted(memory.items())},
        "growth MiB": round(settled[-1] - settled[0], 1) if settled else 0.0,
    }


async def measure(server: Server, graph: str, options: argparse.Namespace) -> Measured:
    """Send the runs, so many at a time, with an eye on the server's memory and pulse."""
    ids = [item.id for item in sample_items()]
    draw = random.Random(SEED)
    histories = [draw.sample(ids, draw.randint(1, 5)) for _ in range(options.requests)]
    measured = Measured()
    waiting = iter(histories)
    every = max(1, options.requests // SAMPLES)

    async def one(history: list[str]) -> None:
        started = time.perf_counter()
        body = {"assistant_id": graph, "input": {"domain": "films", "history": history}}
        try:
            answer = (await http.post("/runs/wait", json=body)).raise_for_status().json()
            problem = answer.get("error") or answer.get("__error__") or answer["flags"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            problem = repr(error)
        if problem:
            measured.errors.append(f"after {time.perf_counter() - started:.1f} s: {problem}")
        else:
            measured.seconds.append(time.perf_counter() - started)

    async def worker() -> None:
        for history in waiting:
            await one(history)
            done = len(measured.seconds) + len(measured.errors)
            if done % every == 0:
                measured.memory[done] = server.resident()

    async def feel() -> None:
        while True:
            started = time.perf_counter()
            await http.get("/ok")
            measured.stalls.append(time.perf_counter() - started)
            await asyncio.sleep(BEAT)

    # The server ends idle connections, which a run that is sent at that moment would meet.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.url, timeout=300, limits=limits) as http:
        for history in histories[: options.warm_up]:
            await one(history)
        measured.seconds.clear()
        started = time.perf_counter()
        pulse = asyncio.create_task(feel())
        await asyncio.gather(*(worker() for _ in range(options.concurrent)))
        measured.elapsed = time.perf_counter() - started
        pulse.cancel()
        measured.connections = (await http.get("/measurements")).json()["connections"]
    return measured


if __name__ == "__main__":
    main()
