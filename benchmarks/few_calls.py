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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.few_calls_tables import Tables, build_tables

if TYPE_CHECKING:
    from re2llm.policies.cell_search import CellSearch

_VALIDATION = 0.2
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
    from re2llm.policies.held_out import draw_folds
    from re2llm.policies.hint_features import HintFeatures
    from re2llm.policies.hint_policy import greedy_actions
    from re2llm.policies.recipes import default_config
    from re2llm.policies.training import TrainingData, train_hint_policy
    from re2llm.policies.weights import actor_of

    statistics = tables.statistics(every_cell=few is None)
    hints = HintFeatures.of(tables.embeddings, statistics)
    rows = np.arange(len(tables.states)) if few is None else few.search.rows
    data = TrainingData(tables.states[rows], hints)
    config = default_config("content", seed=seed)
    estimates = tables.gains[None]
    if few is not None:
        estimates = few.search.imputed_rewards(draw_folds(len(rows), config))
    earned = [lambda at, actions, mine=mine: mine[at, actions] for mine in estimates]
    rewards = earned[0] if few is None else earned
    trained = train_hint_policy(data, "content", config, rewards)
    given = greedy_actions(actor_of(trained.policy), tables.test_states, hints)
    at = np.arange(len(given))
    over = tables.test_ndcg[at, given] - tables.test_ndcg[:, 1]
    held = np.flatnonzero((trained.folds >= 0) & (rows >= tables.first))
    if few is None:
        spent = {"limit": None, "calls": trained.cells + len(rows) - tables.known}
    else:
        validation = _validation(few.paid[rows[held]], trained.choices[held])
        spent = {**few.spent, "calls": few.spent["calls"] + validation}
    gains = tables.gains[rows[held]]
    return {
        "seed": seed,
        **spent,
        "ndcg": float(tables.test_ndcg[at, given].mean()),
        "static": float(tables.test_ndcg[:, 1].mean()),
        "over_static": float(over.mean()),
        "error": float(over.std(ddof=1) / len(over) ** 0.5),
        "validation": float((gains[np.arange(len(held)), trained.choices[held]]).mean()),
        "validation_static": float(gains[:, 1].mean()),
        "validation_sessions": len(held),
    }


@dataclass(frozen=True, slots=True)
class Few:
    """What some calls have paid for.

    Attributes:
        search: With the sessions to train on, and estimates of their rewards.
        paid: All that is paid for, `[S, A]`.
        spent: What the table says of it.
    """

    search: CellSearch
    paid: NDArray[np.bool_]
    spent: dict[str, Any]


def chosen(tables: Tables, calls: int) -> Few:
    """Choose cells as `re2llm train` does, and go on where it would stop by itself."""
    from re2llm.policies.cell_search import CellSearch
    from re2llm.policies.reward_model import Features

    features = Features.of(tables.states, tables.embeddings)
    keys = [bytes(key) for key in tables.hint_keys]
    sessions = tables.sessions.tolist()
    search = CellSearch(features, sessions, keys, first=tables.first, seed=0)
    search.add_panel(list(range(tables.panel)), tables.gains[: tables.panel])
    known = tables.paid.copy()
    spent, stops, more = 0, None, None
    while True:
        asked = search.propose()
        if search.more is not None and stops is None:
            more = search.more
        if asked is None:
            break
        if search.enough and stops is None:
            stops = spent
        prices = np.cumsum((asked.chosen & ~known[asked.rows]).sum(axis=1))
        part = asked.part(slice(int((spent + prices <= calls * (1 - _VALIDATION)).sum())))
        spent += int(prices[len(part) - 1]) if len(part) else 0
        known[part.rows] |= part.chosen
        search.take(part, tables.gains[part.rows])
        if len(part) < len(asked):
            break
    found = {
        "limit": calls,
        "calls": spent,
        "cells": search.cells,
        "visited": search.visited,
        "stops_at": stops,
        "more_gain": None if more is None else more.gain,
        "more_noise": None if more is None else more.noise,
    }
    return Few(search, known, found)


def _validation(paid: NDArray[np.bool_], choices: NDArray[np.int64]) -> int:
    """Return how many calls pay for the choices and for the best hint in held-out sessions."""
    unpaid = ~paid[np.arange(len(choices)), choices]
    return int(unpaid.sum() + (~paid[:, 1] & (choices != 1)).sum())


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
