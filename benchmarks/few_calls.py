"""How good a hint policy is by how many cells (session x hint) it was trained on.

RE2LLM_FUSE=llm python -m benchmarks.few_calls --domain movies --test sessions_test.jsonl \
    [--calls 500,1000,2000,5000,10000] [--seeds 0,1,2] [--tables FILE] [--json FILE] [--figure FILE]

Pays for every cell of the training sessions and of the test file first (with the offline model, for
nothing), and keeps them in `--tables`. Then trains as `re2llm train` does, in memory, on the cells
that so many model calls pay for, and on all. `learn` has paid for the panel before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.few_calls_tables import Tables, build_tables

_CONFIDENT = 1.96


def main() -> None:
    """Print the table, and write the file and the figure that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domain", default="movies")
    parser.add_argument("--test", type=Path, help="sessions that no training has seen; JSONL")
    parser.add_argument("--calls", default="500,1000,2000,5000,10000")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--tables", type=Path, default=Path("few-calls.npz"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if not given.tables.exists():
        if given.test is None:
            parser.error("--test: name the file of test sessions.")
        asyncio.run(_build(given.domain, given.test, given.tables))
    tables = Tables.read(given.tables)
    limits = [*(int(count) for count in given.calls.split(",")), None]
    done = json.loads(given.json.read_text()) if given.json and given.json.exists() else []
    rows: list[dict[str, Any]] = []
    seeds = [int(seed) for seed in given.seeds.split(",")]
    for calls in limits:
        same = {row["seed"]: row for row in done if row["limit"] == calls}
        todo = [seed for seed in seeds if seed not in same]
        few = None if calls is None or not todo else chosen(tables, calls)  # whatever the seed
        for seed in seeds:
            rows.append(same.get(seed) or measured(tables, few, seed))
            print(json.dumps(rows[-1]), flush=True)
            if given.json:
                given.json.write_text(json.dumps(rows, indent=1))
    show(rows, tables)
    if given.figure:
        from benchmarks.few_calls_figure import draw

        draw(rows, given.figure)


async def _build(domain: str, test: Path, path: Path) -> None:
    from re2llm.runtime.sharing import close_shared_services

    try:
        await build_tables(domain, test, path)
    finally:
        await close_shared_services()


def measured(tables: Tables, few: Few | None, seed: int) -> dict[str, Any]:
    """Train on what was paid for, and rank the test sessions with the hints that are given.

    Args:
        few: `None` pays for every cell that PPO visits.
    """
    from re2llm.policies.hint_features import HintFeatures
    from re2llm.policies.hint_policy import greedy_actions
    from re2llm.policies.recipes import default_config
    from re2llm.policies.training import TrainingData, train_hint_policy, without_choice
    from re2llm.policies.weights import actor_of

    every = few is None
    rows = np.arange(len(tables.states)) if few is None else few.rows
    gains = tables.gains[rows] if few is None else tables.gains[rows, : 1 + few.hints]
    count = gains.shape[1] - 1
    statistics = tables.statistics(every_cell=every, visited=rows[:0] if every else rows)
    hints = HintFeatures.of(tables.embeddings[:count], statistics[:count])
    config = default_config("content", seed=seed)
    data = TrainingData(tables.states[rows], hints)
    trained = train_hint_policy(data, "content", config, lambda at, actions: gains[at, actions])
    held = np.flatnonzero((trained.folds >= 0) & (rows >= tables.first))
    simpler = without_choice(trained, hints)
    validated = [gains[held, one.choices[held]].mean() for one in (trained, simpler)]
    policy = trained.policy if validated[0] >= validated[1] else simpler.policy
    given = greedy_actions(actor_of(policy), tables.test_states, hints)
    at = np.arange(len(given))
    over = tables.test_ndcg[at, given] - tables.test_ndcg[:, 1]
    spent = {"limit": None, "calls": trained.cells + len(rows) - tables.known}
    return {
        "seed": seed,
        **(spent if few is None else few.spent),
        "ndcg": float(tables.test_ndcg[at, given].mean()),
        "static": float(tables.test_ndcg[:, 1].mean()),
        "over_static": float(over.mean()),
        "error": float(over.std(ddof=1) / len(over) ** 0.5),
        "validation": float(max(validated)),
        "validation_static": float(gains[held, 1].mean()),
        "validation_sessions": len(held),
        "by_session": bool(validated[0] >= validated[1]),
    }


@dataclass(frozen=True, slots=True)
class Few:
    """What some calls have paid for.

    Attributes:
        rows: Of the sessions that were visited.
        hints: How many hints were tried there.
        spent: What the table says of it.
    """

    rows: NDArray[np.int64]
    hints: int
    spent: dict[str, Any]


def chosen(tables: Tables, calls: int) -> Few:
    """Visit sessions as `re2llm train` does, and go on where it would stop by itself."""
    from re2llm.operations.training.few_cells import BEST_HINTS, FEWEST_TO_STOP, ROUND
    from re2llm.policies.value_of_sessions import gain_of_more

    hints = min(BEST_HINTS, tables.gains.shape[1] - 1)
    queue = np.flatnonzero(~tables.own[:, : 1 + hints].any(axis=1))
    queue = queue[queue >= tables.first]
    paid = tables.paid[queue]
    prices = np.cumsum((~paid[:, 1 : 1 + hints]).sum(axis=1) + ~paid.any(axis=1))
    rows = queue[prices <= calls]
    more, stops = None, None
    for visited in [*range(ROUND, len(rows), ROUND), len(rows)]:
        more = gain_of_more(
            tables.states, rows[:visited], tables.gains[rows[:visited], 1 : 1 + hints], seed=0
        )
        if more.little and visited >= FEWEST_TO_STOP and stops is None:
            stops = int(prices[visited - 1])
    found = {
        "limit": calls,
        "calls": int(prices[len(rows) - 1]),
        "visited": len(rows),
        "stops_at": stops,
        "more_gain": None if more is None else more.gain,
        "more_noise": None if more is None else more.noise,
    }
    return Few(rows, hints, found)


def show(rows: list[dict[str, Any]], tables: Tables) -> None:
    """Print means over seeds."""
    from re2llm.records import counted

    title = f"Policies by model calls; {counted(len(tables.test_states), 'test session')}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("calls allowed", "made", "sessions", "NDCG@10", "over static", "over all", "±"):
        table.add_column(heading, justify="right")
    everything = _mean([row for row in rows if row["limit"] is None], "ndcg")
    for limit in sorted({row["limit"] for row in rows}, key=lambda limit: limit or math.inf):
        same = [row for row in rows if row["limit"] == limit]
        table.add_row(
            "all" if limit is None else f"{limit:,}",
            f"{_mean(same, 'calls'):,.0f}",
            "" if limit is None else f"{same[0]['visited']:,}",
            f"{_mean(same, 'ndcg'):.4f}",
            f"{_mean(same, 'over_static'):+.4f}",
            f"{_mean(same, 'ndcg') - everything:+.4f}",
            f"{_CONFIDENT * _mean(same, 'error'):.4f}",
        )
    console = Console(width=100)
    console.print(table)
    console.print(f"static: {rows[0]['static']:.4f}, without a hint: {tables.plain:.4f}")
    stops = next((row["stops_at"] for row in reversed(rows) if row.get("stops_at")), None)
    if stops:
        console.print(f"`re2llm train` stops by itself after {counted(stops, 'call')}.")


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


if __name__ == "__main__":
    main()
