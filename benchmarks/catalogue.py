"""How long a large catalogue takes to load and to search by meaning, and a small one beside it.

python -m benchmarks.catalogue [--items 1000000] [--calls 200] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGE, SMALL, FEW = "large", "small", 10
SEARCHED = 200
TOPICS, SPREAD = 500, 0.8
"""Made-up items scatter around as many topics, as real ones do around genres."""


class MadeUpEmbedder:
    """Gives each text the unit vector of its number, in no time."""

    def __init__(self) -> None:
        self._topics = np.random.default_rng(1).standard_normal((TOPICS, 384))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that hold an item's number as their last word."""
        return self.vectors([int(text.split()[1].rstrip(".")) for text in texts])

    def vectors(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        """Return the vectors of some numbers, shape `[numbers, 384]`."""
        rng = np.random.default_rng(numbers[0] if numbers else 0)
        near = self._topics[np.array(numbers, dtype=int) % TOPICS]
        drawn = near + SPREAD * rng.standard_normal(near.shape)
        return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def made_up(count: int) -> Iterator[Any]:
    """Yield items."""
    from re2llm.records import Item

    for number in range(count):
        yield Item(f"i{number}", f"Item {number}", {"shelf": number % 97})


async def measure(items: int, calls: int) -> list[dict[str, Any]]:
    """Load both catalogues, and search them.

    Args:
        items: Of the large one.
        calls: To time of each search.
    """
    from dataclasses import replace

    from re2llm.knowledge.domains import find_domain
    from re2llm.knowledge.hnsw_index import index_meaning
    from re2llm.knowledge.vector_search import nearest_items
    from re2llm.operations.loading.load import load_domain
    from re2llm.runtime.sharing import close_shared_services, shared_services

    embedder: Any = MadeUpEmbedder()
    services = replace(await shared_services(), embedder=embedder)
    rows: list[dict[str, Any]] = []

    def row(name: str, unit: str, value: float) -> None:
        rows.append({"name": name, "value": round(value, 3), "unit": unit})

    begun = time.perf_counter()
    await load_domain(services, LARGE, made_up(items), [])
    row(f"load items: {items:,}", "s", time.perf_counter() - begun)
    await load_domain(services, SMALL, made_up(FEW), [])
    targets = embedder.vectors(range(5_000_000, 5_000_000 + calls))

    async def search(name: str, number: int) -> list[str]:
        async with services.autocommit.connect() as connection:
            domain = await find_domain(connection, name)
            found = await nearest_items(
                connection, domain, targets[number], count=SEARCHED, exclude=[]
            )
        return [item.id for item in found]

    few = min(calls, 10)
    exact = [await search(LARGE, number) for number in range(few)]
    row("a search without an index, p50", "ms", np.median(await _times(search, LARGE, few)))
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, LARGE)
    begun = time.perf_counter()
    await index_meaning(services.autocommit, domain, items, lambda *_: None)
    row("building the index", "s", time.perf_counter() - begun)
    found = [await search(LARGE, number) for number in range(few)]
    shared = [len(set(a) & set(b)) / len(a) for a, b in zip(exact, found, strict=True)]
    row(f"of the nearest {SEARCHED}, found", "%", 100 * float(np.mean(shared)))
    for name in (LARGE, SMALL):
        times = await _times(search, name, calls)
        row(f"a search in the {name} one, p50", "ms", float(np.median(times)))
        row(f"a search in the {name} one, p95", "ms", float(np.percentile(times, 95)))
    complete = all([len(await search(SMALL, number)) == FEW for number in range(few)])
    row("searches of the small one that found all", "%", 100.0 * complete)
    await close_shared_services()
    return rows


async def _times(search: Any, name: str, calls: int) -> list[float]:
    times: list[float] = []
    for number in range(calls):
        begun = time.perf_counter()
        await search(name, number)
        times.append((time.perf_counter() - begun) * 1000)
    return times


def main() -> None:
    """Measure on a throw-away database, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalogue", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="of the large catalogue")
    parser.add_argument("--calls", type=int, default=200, help="timed searches of each")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("RE2LLM_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="re2llm-bench-") as home:
        os.environ["RE2LLM_HOME"] = home
        rows = asyncio.run(measure(given.items, given.calls))
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")
    for row in rows:
        print(f"{row['name']:<45} {row['value']:>12,.1f} {row['unit']}")


if __name__ == "__main__":
    main()
