"""Viewers with drifting tastes, with and without the autopilot: `python -m benchmarks.autopilot`.

Both times a real `re2llm serve` with the offline model, on a database of its own, answers the same
requests of the same viewers and gets the same feedback. With the autopilot, cycles run some times a
simulated day, and a real worker does its steps; the offline model has a price, so that dollars are
spent. Simulated are the viewers and the clock by which a day of the budget ends; while a step runs,
no request comes, since a step takes minutes and a day has many. When the autopilot is held, a
person looks at the end of the day and lets it go on.
Example: `python -m benchmarks.autopilot --requests 2000 --figure docs/autopilot.png`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.autopilot_arm import Run, run_arm
from benchmarks.autopilot_simulation.summary import gains, overspent
from benchmarks.autopilot_simulation.viewers import PHASES

_SETTINGS = {
    "RE2LLM_FUSE": "llm",  # the model's own ranking, to which hints matter
    "RE2LLM_FEEDBACK_CALLS": "0",  # else servers would learn beside the autopilot
    "RE2LLM_PRICES": json.dumps({"offline": [0.4, 1.6]}),
    "RE2LLM_VERIFY_RANDOM": "20",
    "RE2LLM_VERIFY_DOUBTFUL": "2",
    "RE2LLM_VERIFY_NEAR": "4",
    "RE2LLM_TRAIN_PANEL": "40",
    "RE2LLM_TRAIN_SESSIONS": "150",
    "RE2LLM_HINTS_MAX": "16",
    "RE2LLM_DATABASE_TIMEOUT": "60",  # a busy machine is no lost database
}


def in_process(run: Run) -> dict[str, Any]:
    """Play one arm in this process, on a home of its own."""
    folder = Path(tempfile.mkdtemp(prefix="re2llm-autopilot-"))
    for name in [name for name in os.environ if name.startswith("RE2LLM_")]:
        del os.environ[name]
    os.environ.update({**_SETTINGS, "RE2LLM_HOME": str(folder / "home")})
    try:
        return asyncio.run(run_arm(run, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Play both arms, print what came of them, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000, help="In each of the two runs.")
    parser.add_argument("--days", type=int, default=10, help="Simulated days that they take.")
    parser.add_argument("--usd", type=float, default=2.0, help="What may be spent a day.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=1, help="Runs at the same time: 1 or 2.")
    parser.add_argument("--figure", type=Path, help="Draw it in this PNG file.")
    parser.add_argument("--json", type=Path, help="Also write the figures to this file.")
    options = parser.parse_args()
    runs = [
        Run(piloted, options.requests, options.days, options.usd, options.seed)
        for piloted in (False, True)
    ]
    # A process each: settings and the database's server belong to a process for good.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(options.at_once, 2), spawn, max_tasks_per_child=1) as pool:
        without, given = pool.map(in_process, runs)
    document = {
        **asdict(runs[1]),
        "rewards": {"without": without["rewards"], "with": given["rewards"]},
        "gains": gains(given["phases"], without["rewards"], given["rewards"]),
        "phase_ends": [round(phase.until * options.requests) for phase in PHASES[:-1]],
        "day_length": options.requests / options.days,
        "limit": {"cost": options.usd, "llm_calls": None},
        **{name: given[name] for name in ("marks", "days", "decisions")},
    }
    if options.json:
        options.json.write_text(json.dumps(document) + "\n")
    _print(document)
    if options.figure:
        from benchmarks.autopilot_simulation.drawing import draw_run

        draw_run(document, options.figure)
    if overspent(document["days"]):
        sys.exit("A day was overspent.")


def _print(document: dict[str, Any]) -> None:
    print("phase       requests  without    with  difference  95 % interval")
    for row in document["gains"]:
        phase = (
            "all"
            if row["phase"] is None
            else " + ".join(mood.name.lower() for mood in PHASES[row["phase"]].moods)
        )
        low, high = row["ci95"]
        print(
            f"{phase:<24} {row['requests']:>6,}  {row['without']:.4f}  {row['with']:.4f}  "
            f"{row['difference']:+.4f}  {low:+.4f} to {high:+.4f}"
        )
    print("day  spent  of     calls")
    for day in document["days"]:
        print(
            f"{day['number'] + 1:>3}  {day['cost']:.2f}   {day['max_cost']:.2f}  "
            f"{day['llm_calls']:>6,}"
        )
    print("request  what")
    for mark in document["marks"]:
        print(f"{mark['request']:>7,}  {mark['what']}: {mark['words']}")


if __name__ == "__main__":
    main()
