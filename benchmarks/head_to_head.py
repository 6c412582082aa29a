"""Ways to learn from the same number of model calls, compared on sessions never seen before.

python -m benchmarks.head_to_head --home DIR [--data HETREC] [--calls 500,2000] [--seeds 0]
    [--contenders static,playbook,gepa,ppo-1,ppo-set] [--sessions-limit N] [--json FILE]
    [--figure FILE.png]

`static` learns hints and gives the best one; `playbook` learns the same hints and gives all of
them, as ACE does (arXiv 2510.04618); `gepa` lets GEPA write one hint, with our reflection;
`ppo-1` and `ppo-set` learn from half of the calls and train a policy that gives one hint or up to
three with the other half. `none` pays nothing. The offline model alone ranks (`RE2LLM_FUSE=llm`).
Learning and training see training sessions only. Every question to the model counts, whatever for;
those about test sessions are not part of the budget.

`DIR` keeps the loaded catalogue; with `--json`, runs that are in the file are not made again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .contenders import NAMES, context_of, prepare, ranked, states_of
from .learning_runs import Counter, Results, counted_offline, load, run
from .reflection_batches import numbers

_COLOURS = {
    "none": "#888888",
    "static": "#1f77b4",
    "playbook": "#9467bd",
    "gepa": "#d62728",
    "ppo-1": "#2ca02c",
    "ppo-set": "#ff7f0e",
}


async def compare(given: argparse.Namespace, counter: Counter) -> None:
    """Make the runs that are not in the file yet, and print the table of all."""
    from re2llm.operations.evaluation.held_out import held_out_sessions
    from re2llm.runtime.options import resolve_context

    test = await load(given.data)
    options = await resolve_context(context_of(0))
    known = await _known(options)
    sessions, _ = await held_out_sessions(test, known, negatives=49, seed=0, skip_malformed=False)
    sessions = sessions[: given.sessions_limit]
    results, states = Results(given.json), None
    wanted = [("none", 0, 0)]
    wanted += [(n, c, s) for c in given.calls for s in given.seeds for n in given.contenders]
    rows: list[dict[str, Any]] = []
    for name, calls, seed in wanted:
        key = {"contender": name, "calls": calls, "seed": seed, "sessions": len(sessions)}
        row = results.find(**key)
        if row is None:
            before = counter.calls
            ready = await prepare(name, calls, seed, counter)
            counted = counter.calls - before
            states = states or await states_of(sessions, options)
            found = await ranked(ready, states, seed)
            row = {
                **key,
                "spent": ready.spent,
                "paid": sum(ready.spent.values()),
                "counted": counted,
                "note": ready.note,
                "hints": round(float(np.mean([hints for _, hints, _ in found])), 3),
                "characters": round(float(np.mean([length for _, _, length in found])), 1),
                "ndcg": [round(value, 6) for value, _, _ in found],
            }
            results.add(row)
        rows.append(row)
        mean = sum(row["ndcg"]) / len(row["ndcg"])
        print(f"{name} {calls:,} seed {seed}: {mean:.4f}, paid {row['spent']}", flush=True)
    found = table(rows)
    print("\n".join(lines(found)))
    if given.figure:
        draw(found, given.figure)


async def _known(options: Any) -> list[str]:
    from re2llm.knowledge.catalogue import item_ids
    from re2llm.knowledge.domains import find_domain

    from .learning_runs import DOMAIN

    async with options.services.engine.connect() as connection:
        return list(await item_ids(connection, await find_domain(connection, DOMAIN)))


def table(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum the runs up over seeds: for each contender and number of calls, with intervals.

    A session's figure is its mean over the seeds; sessions are resampled, 2,000 times. Differences
    to `none` and to `static` with as many calls are paired.
    """
    from re2llm.evaluation.bootstrap import Bootstrap

    draws = Bootstrap()
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        runs.setdefault((row["contender"], row["calls"]), []).append(row)
    means = {key: np.mean([row["ndcg"] for row in some], axis=0) for key, some in runs.items()}
    found: list[dict[str, Any]] = []
    for (name, calls), some in runs.items():
        own, static = means[name, calls], means.get(("static", calls))
        mean = draws.mean(own)
        line: dict[str, Any] = {
            "contender": name,
            "calls": calls,
            "seeds": len(some),
            "sessions": len(own),
            "paid": [row["paid"] for row in some],
            "hints": round(float(np.mean([row["hints"] for row in some])), 2),
            "characters": round(float(np.mean([row["characters"] for row in some]))),
            "ndcg@10": round(mean.mean, 4),
            "ci95": mean.ends,
        }
        if static is not None and name != "static":
            over = draws.difference(own, static)
            line["over_static"], line["over_static_ci95"] = round(over.mean, 4), over.ends
        found.append(line)
    return found


def lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return a table in Markdown."""
    made = [
        "| calls | contender | calls paid | hints | characters | NDCG@10 | over `static` |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found:
        over = ""
        if "over_static" in row:
            low, high = row["over_static_ci95"]
            over = f"{row['over_static']:+.4f} ({low:+.4f} to {high:+.4f})"
        low, high = row["ci95"]
        paid = ", ".join(f"{calls:,}" for calls in row["paid"])
        made.append(
            f"| {row['calls']:,} | {row['contender']} | {paid} | {row['hints']} | "
            f"{row['characters']} | {row['ndcg@10']:.4f} ({low:.4f} to {high:.4f}) | {over} |"
        )
    return made


def draw(found: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw NDCG@10 by calls, with 95 % intervals."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    names = [name for name in NAMES if name != "none"]
    for place, name in enumerate(names):
        some = [row for row in found if row["contender"] == name]
        if not some:
            continue
        shift = 1.03 ** (place - len(names) / 2)  # intervals side by side
        x = [row["calls"] * shift for row in some]
        y = [row["ndcg@10"] for row in some]
        ends = np.array([row["ci95"] for row in some]).T
        bars = np.abs(ends - np.array(y))
        axes.errorbar(x, y, bars, marker="o", capsize=3, label=name, color=_COLOURS[name])
    for row in found:
        if row["contender"] == "none":
            axes.axhline(row["ndcg@10"], color=_COLOURS["none"], ls="--", label="none (no calls)")
    axes.set_xscale("log")
    ticks = sorted({row["calls"] for row in found if row["calls"]})
    axes.set_xticks(ticks, [f"{calls:,}" for calls in ticks])
    axes.minorticks_off()
    axes.set_xlabel("model calls for learning")
    axes.set_ylabel("NDCG@10 on test sessions, 95 % interval")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def names(text: str) -> list[str]:
    """Read names of contenders that are separated by commas."""
    found = text.split(",")
    unknown = [name for name in found if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(NAMES)}")
    return found


def main() -> None:
    """Compare in a home of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.head_to_head", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="keeps the loaded catalogue")
    parser.add_argument("--data", type=Path, help="folder of HetRec2011; else the sample of films")
    parser.add_argument("--calls", type=numbers, default=[500, 2000], help="budgets")
    parser.add_argument("--seeds", type=numbers, default=[0], help="numbers")
    parser.add_argument("--contenders", type=names, default=[n for n in NAMES if n != "none"])
    parser.add_argument("--sessions-limit", type=int, help="only the first test sessions")
    parser.add_argument("--json", type=Path, help="keeps what was found")
    parser.add_argument("--figure", type=Path, help="draws the curve")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("RE2LLM_")]:
        del os.environ[name]
    os.environ.update(RE2LLM_HOME=str(given.home.resolve()), RE2LLM_FUSE="llm")
    with counted_offline() as counter:
        run(compare(given, counter))


if __name__ == "__main__":
    main()
