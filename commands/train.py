"""`re2llm train`: learns which hint to give for which session, and releases the policy."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..operations.selection import selected_sessions
from .budgets import MaxCalls, MaxCost, check_budget
from .console import out, print_json, progress, run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..policies.recipes import Recipe
    from ..policies.training import Trained
    from ..ranking.releases import HintAndEmbedding
    from ..ranking.state import RecommendState
    from ..runtime.options import RunOptions


def train(
    domain: Annotated[str, typer.Option(help="The catalogue.")],
    sessions: Annotated[
        list[Path] | None,
        typer.Option(help="Train on these loaded training sessions only; JSONL, repeatable."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="content or paper.")] = "content",
    seed: Annotated[int | None, typer.Option(help="Default: RE2LLM_SEED.")] = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    force: Annotated[
        bool, typer.Option("--force", help="Activate it even if it is worse than the active one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train the hint policy by PPO on training sessions; what was tried before is not paid again.

    Example: re2llm train --domain movies --seed 0
    """
    from ..runtime.budget import Budget

    budget = Budget(max_calls=max_llm_calls, max_cost=max_cost)
    run(lambda: _train(domain, sessions or [], recipe, seed, budget, force, as_json))


async def _train(
    domain: str,
    files: list[Path],
    recipe: str,
    seed: int | None,
    budget: Any,
    force: bool,
    as_json: bool,
) -> None:
    from ..runtime.options import Context, resolve_context

    if recipe not in {"content", "paper"}:
        raise InputError("--recipe", f"There is no {recipe!r}.", "Choose content or paper.")
    check_budget(budget)
    options = await resolve_context(Context(domain=domain, budget=budget, command="train"))
    outcome = await train_release(
        domain, files, "paper" if recipe == "paper" else "content", seed, options, force=force
    )
    if as_json:
        print_json(outcome)
        return
    out.print(
        f"Release {outcome['release']} ({recipe}): gain {outcome['gain']:+.4f} NDCG@10 on "
        f"{outcome['validation_sessions']:,} validation sessions, the best single hint "
        f"{outcome['static_gain']:+.4f}. {outcome['cells']:,} of {outcome['all_cells']:,} cells "
        f"visited, {outcome['llm_calls']:,} model calls (at most one a cell, and retries), "
        f"{outcome['seconds']:.0f} s. "
        f"{'Active now.' if outcome['active'] else 'Not activated: ' + outcome['why_not']}"
    )


async def train_release(
    domain: str,
    files: list[Path],
    recipe: Recipe,
    seed: int | None,
    options: RunOptions,
    *,
    force: bool,
) -> dict[str, Any]:
    """Train, store and activate a release.

    Args:
        domain: The catalogue.
        files: Restrict training to these sessions; empty for all.
        recipe: Which policy.
        seed: Of the split and the sampling; `None` takes the setting.
        options: The run's options.
        force: Activate even what is worse.

    Returns:
        What `--json` prints.

    Raises:
        InputError: There are no sessions or no active hints.
    """
    import numpy as np

    from ..policies.recipes import default_config
    from ..policies.training import TrainingData, train_hint_policy
    from ..ranking.panels import random_sessions
    from ..ranking.rewards import RewardTable
    from ..ranking.serving import hint_features, session_state

    started = time.perf_counter()
    seed = options.settings.seed if seed is None else seed
    keys = await selected_sessions(options.services, domain, files)
    keys = random_sessions(keys, options.settings.train_sessions, options.settings.seed)
    domain_id, hints = await _measured_hints(domain, options)
    if not hints or len(keys) < 2:  # noqa: PLR2004
        raise InputError(
            "domain",
            f"{domain!r} has {len(hints)} active hints and {len(keys)} training sessions.",
            "Run `re2llm learn` first, and load more sessions.",
        )
    states = await _resolved(domain, keys, options)
    await _try_on_panel(domain_id, states, hints, options)
    _, hints = await _measured_hints(domain, options)
    table = RewardTable(states, [hint for hint, _ in hints], options)
    await table.load(domain_id)
    loop = asyncio.get_running_loop()

    def rewards(rows: NDArray[np.int64], actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return asyncio.run_coroutine_threadsafe(table.rewards(rows, actions), loop).result()

    data = TrainingData(
        np.stack([session_state(state, recipe) for state in states]), hint_features(hints)
    )
    config = default_config(recipe, seed=seed)
    with progress() as bar:
        task = bar.add_task("training", total=None)
        trained = await asyncio.to_thread(
            train_hint_policy,
            data,
            recipe,
            config,
            rewards,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    judged = np.flatnonzero(trained.folds >= 0)
    static_gain = float((await table.rewards(judged, np.ones_like(judged))).mean())
    metrics = {
        "gain": round(trained.validation_reward, 5),
        "static_gain": round(static_gain, 5),
        "validation_sessions": len(judged),
        "update": trained.update,
        "cells": trained.cells,
        "curve": [point._asdict() for point in trained.curve],
    }
    released = await _release(
        domain_id, recipe, trained, hints, asdict(config), metrics, options, force
    )
    return {
        "domain": domain,
        **released,
        **{name: value for name, value in metrics.items() if name != "curve"},
        "all_cells": len(keys) * (len(hints) + 1),
        "llm_calls": options.budget.calls if options.budget else 0,
        "cost": round(options.budget.cost, 6) if options.budget else 0.0,
        "unanswered": table.unanswered,
        "seconds": round(time.perf_counter() - started, 1),
    }


async def _measured_hints(domain: str, options: RunOptions) -> tuple[int, list[HintAndEmbedding]]:
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import best_hints
    from ..ranking.hint_stats import update_figures

    async with options.services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await update_figures(connection, found.id, options)
        return found.id, await best_hints(connection, found.id, count=options.settings.shortlist)


async def _try_on_panel(
    domain_id: int,
    states: list[RecommendState],
    hints: list[HintAndEmbedding],
    options: RunOptions,
) -> None:
    """Try every hint on the same random sessions, so that the policy starts from fair means.

    Verification has seen each hint on few sessions, and kept those that were lucky there.
    """
    import numpy as np

    from ..ranking.rewards import RewardTable

    table = RewardTable(states, [hint for hint, _ in hints], options)
    await table.load(domain_id)
    drawn = range(min(len(states), options.settings.train_panel))  # their order is random already
    actions = np.arange(1, len(hints) + 1)
    with progress(counts=True) as bar:
        task = bar.add_task("trying every hint", total=len(drawn))
        for row in drawn:
            await table.rewards(np.full_like(actions, row), actions)
            bar.advance(task)


async def _resolved(domain: str, keys: list[int], options: RunOptions) -> list[RecommendState]:
    from ..ranking.trials import resolve_session

    with progress(counts=True) as bar:
        task = bar.add_task("reading sessions", total=len(keys))
        states: list[RecommendState] = []
        for key in keys:
            states.append(await resolve_session(domain, key, options))
            bar.advance(task)
    return states


async def _release(
    domain_id: int,
    recipe: str,
    trained: Trained,
    hints: list[HintAndEmbedding],
    config: dict[str, Any],
    metrics: dict[str, Any],
    options: RunOptions,
    force: bool,
) -> dict[str, Any]:
    import math

    from ..knowledge.releases import Release, activate_release, store_release
    from ..llm.embeddings import ENCODER_ID
    from ..policies.weights import dump_policy
    from ..ranking.serving import hint_set_version

    weights, shape = dump_policy(trained.policy)
    for point in metrics["curve"]:
        point.update({k: None for k, v in point.items() if isinstance(v, float) and math.isnan(v)})
    release = Release(
        recipe=recipe,
        weights=weights,
        encoder=ENCODER_ID,
        prompt_version=options.prompt_version,
        model=options.model,
        hint_set=hint_set_version([hint for hint, _ in hints]),
        hint_ids=[hint.id for hint, _ in hints],
        config={"policy": shape, "training": config},
        metrics=metrics,
    )
    async with options.services.engine.begin() as connection:
        number = await store_release(connection, domain_id, release)
    try:
        async with options.services.engine.begin() as connection:
            await activate_release(connection, domain_id, number, force=force)
    except InputError as error:
        return {"release": number, "active": False, "why_not": str(error)}
    return {"release": number, "active": True, "why_not": ""}
