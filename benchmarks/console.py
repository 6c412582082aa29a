"""Times the pages of the console: `python -m benchmarks.console`.

Fills a database of its own with made-up hints, trials, answered requests, feedback and paid calls,
asks each page through the application, without a network, and prints the median time of each, the
processor time of this process, and that of the database's processes; the rest is waiting, also for
processors that other programs keep busy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from re2llm.runtime.services import Services

ADDRESS = "http://127.0.0.1"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hints", type=int, default=100_000)
    parser.add_argument("--recommendations", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5, help="of each page; the median counts")
    parser.add_argument("--home", type=Path, help="keep the database here, and fill it only once")
    parser.add_argument("--json", type=Path, help="write the times here, too")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = options.home or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="re2llm-console-"))
        )
        os.environ |= {"RE2LLM_HOME": str(home), "RE2LLM_FUSE": "llm", "HF_HUB_OFFLINE": "1"}
        rows = asyncio.run(measure(options, home))
    print(f"{'page':<44}{'ms':>9}{'own ms':>9}{'db ms':>9}")
    for row in rows:
        times = (row["ms"], row["process_ms"], row["database_ms"])
        print(f"{row['page']:<44}" + "".join(f"{time:>9.1f}" for time in times))
    slowest = max(rows, key=lambda row: row["ms"])
    print(f"slowest: {slowest['page']}, {slowest['ms']:.1f} ms")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


async def measure(options: argparse.Namespace, home: Path) -> list[dict[str, Any]]:
    """Fill the database, if it is empty, and time every page."""
    from re2llm.interfaces.api.application import create_app
    from re2llm.runtime.sharing import shared_services

    from benchmarks.console_rows import MODEL, fill, registered

    os.environ["RE2LLM_MODEL"] = MODEL
    app = create_app()
    async with app.router.lifespan_context(app):
        services = await shared_services()
        registered(services)
        server = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
        about = await fill(services, options.hints, options.recommendations, say=_say)
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            rows = [await _timed(client, page, options.runs, server) for page in pages(about)]
        await _advise(services)
    return rows


def pages(about: dict[str, Any]) -> list[str]:
    """Return the pages to time.

    Args:
        about: The ids of what stands on them, from `fill`.
    """
    return [
        "",
        "/try?words=alien&history=alien-1979",
        "/hints",
        "/hints?status=pending",
        "/hints?words=people%20of%20number%201",
        "/hints?words=nothing%20holds%20this",
        "/hints?sort=-gain",
        "/hints?sort=gain",
        "/hints?sort=-trials",
        "/hints?sort=-uses",
        "/hints?sort=uses",
        f"/hints?page={max(1, about['hints'] // 50)}",
        f"/hints?sort=-uses&page={max(1, about['hints'] // 100)}",
        f"/hints/{about['hint']}",
        "/releases",
        "/releases/1",
        "/releases/1/compare?other=1",
        "/jobs",
        "/catalogue",
        "/catalogue?words=blade",
        "/catalogue/alien-1979",
        "/costs?days=7",
        "/costs",
        "/costs?days=365",
        "/sign-in",
    ]


async def _timed(client: httpx.AsyncClient, page: str, runs: int, server: int) -> dict[str, Any]:
    walls: list[float] = []
    own: list[float] = []
    database: list[float] = []
    for run in range(runs + 1):
        spent = _database_seconds(server)
        started, used = time.perf_counter(), time.process_time()
        answer = await client.get(f"/console{page}")
        wall, process = time.perf_counter() - started, time.process_time() - used
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"{page}: {answer.status_code}: {answer.text[-500:]}")
        if run:  # the first one fills caches, and opens connections
            walls.append(wall * 1000)
            own.append(process * 1000)
            database.append((_database_seconds(server) - spent) * 1000)
    named = {"page": page or "/", "ms": round(statistics.median(walls), 1)}
    times = {"process_ms": own, "database_ms": database}
    medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
    return {**named, **medians, "runs": runs}


def _database_seconds(server: int) -> float:
    """Return the processor time of a PostgreSQL server and its processes, also of ended ones."""
    ticks = os.sysconf("SC_CLK_TCK")
    ended = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[13:15]
    spent = sum(map(int, ended)) / ticks
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    for process in (str(server), *children):
        try:
            spent += int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
        except OSError:  # it has just ended
            continue
    return spent


async def _advise(services: Services) -> None:
    """Say how large the tables were, so that the times can be read."""
    from sqlalchemy import text

    async with services.engine.connect() as connection:
        for table in ("hint", "recommendation", "llm_call", "hint_trial"):
            query = f"SELECT pg_total_relation_size('re2llm.{table}') / 1048576"  # nosec B608  # a name of ours
            _say(f"{table}: {await connection.scalar(text(query)):,} MiB")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
