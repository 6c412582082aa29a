"""How long `select_hint` and the whole graph take beside the model call, by hints in PostgreSQL.

python -m benchmarks.select_hint [--hints 100,10000,100000] [--calls 300] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.timing import Timing, timed

SELECT_AIM_MS, GRAPH_AIM_MS = 4.0, 10.0
MANY, MANY_AIM_MS = 100_000, 25.0
"""With more hints than that, and what `select_hint` may then take."""


async def measure(sizes: Sequence[int], calls: int) -> list[dict[str, Any]]:
    """Time a bare query, the node and the graph for each number of hints.

    Args:
        sizes: Numbers of hints, ascending.
        calls: To time of each.
    """
    from langgraph.runtime import Runtime
    from re2llm.graph.recommend import graph
    from re2llm.nodes.prepare import prepare as prepare_node
    from re2llm.nodes.select_hint import select_hint
    from re2llm.runtime.context import Context
    from re2llm.runtime.sharing import close_shared_services, shared_services
    from sqlalchemy import text

    from benchmarks.knowledge_base import DOMAIN, MODEL, grow, prepare

    services = await shared_services()
    sessions = await prepare(services)
    context = Context(policy="ppo", model=MODEL, fuse="llm")  # as its release was trained
    runtime: Any = Runtime(context=context)
    requests: list[Any] = [
        {"domain": DOMAIN, "history": list(s.history), "candidates": list(s.candidates or ())}
        for s in sessions
    ]
    states: list[Any] = [
        {**request, **await prepare_node(request, runtime)} for request in requests
    ]

    async def bare(_: int) -> None:
        async with services.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def choose(number: int) -> None:
        chosen = await select_hint(states[number % len(states)], runtime)
        if not chosen["hint"]["policy"].startswith("ppo:"):
            raise RuntimeError(f"The release was not used: {chosen}")

    async def whole(number: int) -> None:
        answer = await graph.ainvoke(requests[number % len(requests)], context=context)
        if answer["error"] or answer["flags"]:
            raise RuntimeError(f"No clean answer: {answer}")

    rows: list[dict[str, Any]] = []
    there = 0
    for size in sizes:
        await grow(services, there, size)
        there = size
        query: Timing = await timed("bare SQL query", size, bare, calls=calls)
        parts = [
            await timed("select_hint", size, choose, calls=calls),
            await timed("whole graph", size, whole, calls=calls),
        ]
        rows += [part.as_dict(query) for part in (query, *parts)]
    await close_shared_services()
    return rows


def aims(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say which aims are missed."""
    few = {"select_hint": SELECT_AIM_MS, "whole graph": GRAPH_AIM_MS}
    missed: list[str] = []
    for row in rows:
        aim = (few if row["hints"] <= MANY else {"select_hint": MANY_AIM_MS}).get(row["name"])
        if aim is not None and row["p95_ms"] > aim:
            name = f"{row['name']} (hints: {row['hints']:,})"
            missed.append(f"{name}: p95 {row['p95_ms']:.1f} ms, aim {aim:.0f} ms")
    return missed


def main() -> None:
    """Measure on a throw-away database, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.select_hint", description=__doc__)
    parser.add_argument("--hints", default="100,10000,100000", help="numbers, comma-separated")
    parser.add_argument("--calls", type=int, default=300, help="timed calls of each")
    parser.add_argument(
        "--json", type=Path, help="write the measurements to this file; - prints them"
    )
    given = parser.parse_args()
    sizes = sorted({int(size) for size in given.hints.split(",")})
    file = given.json if given.json is None or str(given.json) == "-" else given.json.resolve()
    for name in [name for name in os.environ if name.startswith("RE2LLM_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="re2llm-bench-") as home:
        os.environ["RE2LLM_HOME"] = home
        os.chdir(home)  # a `.env` in the caller's folder is none of ours
        rows = asyncio.run(measure(sizes, given.calls))
        os.chdir("/")
    if str(file) == "-":
        print(json.dumps(rows, indent=2))
        return
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n")
    _show(rows)


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table("hints", "", "p50 ms", "p95 ms", "p50/bare", "p95/bare", box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(
            f"{row['hints']:,}",
            row["name"],
            f"{row['p50_ms']:.2f}",
            f"{row['p95_ms']:.2f}",
            f"{row['p50_ratio']:.1f}",
            f"{row['p95_ratio']:.1f}",
        )
    console = Console()
    console.print(table)
    missed = aims(rows)
    console.print("\n".join(missed) or "All aims are met.")


if __name__ == "__main__":
    main()
