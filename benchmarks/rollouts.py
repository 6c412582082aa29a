"""Plays rollouts on simulated viewers whose true difference is known, and counts how they end.

Rewards are those of viewers of the sample films, ranked by the real first stage. Decisions are the
server's own. Example: `python -m benchmarks.rollouts --runs 200`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

_VIEWERS, _FRESH, _SEED = 160, 200, 1
_DIFFERENCES = (-0.02, 0.0, 0.02)


async def observed_rewards() -> list[float]:
    """Return NDCG@10 of what fresh viewers of the sample films pick; 0 if it is not listed."""
    from re2llm.data.sample import sample_items, simulate_sessions
    from re2llm.operations.loading.load import load_domain
    from re2llm.operations.recommending.recommend import recommend
    from re2llm.rank_metrics import ndcg
    from re2llm.runtime.context import Context
    from re2llm.runtime.sharing import close_shared_services, shared_services

    services = await shared_services()
    training = simulate_sessions(_VIEWERS, seed=_SEED)
    await load_domain(services, "films", sample_items(), [lambda _: training])
    context = Context(domain="films", fuse="first_stage", record=False)
    rewards: list[float] = []
    for session in simulate_sessions(_FRESH, seed=_SEED + 1):
        ranking = (await recommend(context, session.history)).ranking
        listed = session.target in ranking
        rewards.append(ndcg(ranking.index(session.target) + 1) if listed else 0.0)
    await close_shared_services()
    return rewards


def one_run(rewards: list[float], steps: str, delta: float, differing: float, seed: int) -> Any:
    from re2llm.policies.rollout.plan import Plan, percentages

    from benchmarks.rollout_simulation.rewards import reward_model
    from benchmarks.rollout_simulation.runs import World, play

    model = reward_model(rewards, delta=delta / differing)
    plan = Plan(steps=percentages(steps))
    return play(plan, World(rewards=model, differing=differing), seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="Rollouts for each difference.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="Processes.")
    parser.add_argument("--differing", type=float, nargs="+", default=[1.0, 0.5])
    parser.add_argument("--steps", default="1,5,25,100", help="Percentages, as of a rollout.")
    parser.add_argument("--json", type=Path, help="Also write the figures to this file.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="re2llm-rollouts-") as home:
        os.environ["RE2LLM_HOME"] = home
        rewards = asyncio.run(observed_rewards())
    from benchmarks.rollout_simulation.summary import summarised

    mean = sum(rewards) / len(rewards)
    deviation = (sum((reward - mean) ** 2 for reward in rewards) / len(rewards)) ** 0.5
    print(f"{len(rewards)} rewards of viewers: mean {mean:.3f}, deviation {deviation:.3f}")
    print("Exposures of the release, and requests: what 5 %, 50 % and 95 % of runs need.")
    print("differing  difference  promoted  taken back  of it early   held  exposures, requests")
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        for differing in options.differing:
            for delta in _DIFFERENCES:
                run = partial(one_run, rewards, options.steps, delta, differing)
                found = summarised(list(pool.map(run, range(options.runs), chunksize=5)))
                rows.append({"difference": delta, "differing": differing, **found})
                print(
                    f"{differing:9.0%}  {delta:+10.2f}  {found['promoted']:8.1%}  "
                    f"{found['taken_back']:10.1%}  {found['taken_back_early']:11.1%}  "
                    f"{found['held']:5.1%}  {found['exposures']}, {found['requests']}",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps({"mean": mean, "deviation": deviation, "rows": rows}))


if __name__ == "__main__":
    main()
