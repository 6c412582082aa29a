"""What reflection on several misses at once brings for its calls, beside reflection on each.

python -m benchmarks.reflection_batches --home DIR [--data HETREC] [--batches 1,3,6]
    [--calls 2000] [--seeds 0,1,2] [--unseen 200] [--json FILE]

Each run learns from nothing, within the same number of model calls, with the offline model alone
deciding (`RE2LLM_FUSE=llm`). What its hints gain is then measured on training sessions on which
none of them was verified. `DIR` keeps the loaded catalogue; with `--json`, runs that are in the
file are not made again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from .learning_runs import (
    DOMAIN,
    Counter,
    Results,
    counted_offline,
    forget,
    load,
    run,
    unseen_sessions,
)


async def measured(
    batch: int, calls: int, seed: int, unseen: int, counter: Counter
) -> dict[str, Any]:
    """Learn with batches of a size, and measure what the hints gain elsewhere."""
    from re2llm.operations.hints.manage import list_hints
    from re2llm.operations.learning.learn import learn
    from re2llm.ranking.hints.panel_gains import panel_gains
    from re2llm.ranking.hints.panels import Panel
    from re2llm.runtime.context import Context
    from re2llm.runtime.options import resolve_context

    await forget()
    context = Context(domain=DOMAIN, seed=seed, fuse="llm", reflection_batch=batch)
    before = counter.calls
    # One session after the other: many at once would all be half done when the budget is spent.
    learned = await learn(context, max_hints=64, max_llm_calls=calls, concurrency=1, tidy=False)
    paid = counter.calls - before
    options = await resolve_context(context)
    panel = Panel(await unseen_sessions(unseen, seed), ())
    gains: list[float] = []
    for hint in (await list_hints(context, status="active")).hints:
        found = await panel_gains(hint.text, DOMAIN, panel, options, until_settled=False)
        gains.append(sum(found) / len(found))
    return {
        "batch": batch,
        "calls": calls,
        "seed": seed,
        "unseen": len(panel.first),
        "paid": paid,
        "reported": learned.llm_calls,
        "proposed": learned.proposed,
        "hints": len(gains),
        "total_gain": round(sum(gains), 4),
        "best_gain": round(max(gains, default=0.0), 4),
        "gain_per_1000_calls": round(1000 * sum(gains) / max(paid, 1), 4),
    }


async def _all(given: argparse.Namespace, counter: Counter) -> None:
    await load(given.data)
    results = Results(given.json)
    for seed in given.seeds:
        for batch in given.batches:
            key = {"batch": batch, "calls": given.calls, "seed": seed}
            row = results.find(**key)
            if row is None:
                row = await measured(batch, given.calls, seed, given.unseen, counter)
                results.add(row)
            print(_line(row), flush=True)
    for batch in given.batches:
        rows = [row for row in results.rows if (row["batch"], row["calls"]) == (batch, given.calls)]
        paid, total = (sum(row[name] for row in rows) for name in ("paid", "total_gain"))
        best = sum(row["best_gain"] for row in rows) / len(rows)
        print(
            f"batch {batch}, all seeds: {1000 * total / paid:+.4f} NDCG@10 of gain by a thousand "
            f"calls, best hint {best:+.4f}"
        )


def _line(row: dict[str, Any]) -> str:
    return (
        f"seed {row['seed']}, batch {row['batch']}: proposed {row['proposed']}, kept "
        f"{row['hints']}, paid {row['paid']:,}; gain where unseen (n = {row['unseen']}): all "
        f"together {row['total_gain']:+.4f}, the best {row['best_gain']:+.4f}"
    )


def numbers(text: str) -> list[int]:
    """Read numbers that are separated by commas."""
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Measure in a home of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reflection_batches", description=__doc__
    )
    parser.add_argument("--home", type=Path, required=True, help="keeps the loaded catalogue")
    parser.add_argument("--data", type=Path, help="folder of HetRec2011; else the sample of films")
    parser.add_argument("--batches", type=numbers, default=[1, 3, 6], help="sizes")
    parser.add_argument("--calls", type=int, default=2000, help="model calls of each run")
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2], help="numbers")
    parser.add_argument("--unseen", type=int, default=200, help="sessions to measure gains on")
    parser.add_argument("--json", type=Path, help="keeps what was found")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("RE2LLM_")]:
        del os.environ[name]
    os.environ.update(RE2LLM_HOME=str(given.home.resolve()), RE2LLM_FUSE="llm")
    with counted_offline() as counter:
        run(_all(given, counter))


if __name__ == "__main__":
    main()
