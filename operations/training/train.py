"""Trains the hint policy and releases it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...knowledge.hint_stats import retire_harmful
from ...knowledge.hints import HintAndEmbedding
from ...knowledge.releases import active_release_number
from ...llm.prices import estimated_tokens
from ...policies.held_out import draw_folds
from ...policies.ppo import Rewards
from ...policies.recipes import Recipe, TrainingConfig, check_recipe, default_config
from ...policies.training import Trained, TrainingData, train_hint_policy
from ...ranking.hint_stats import update_stats
from ...ranking.rewards import RewardTable
from ...ranking.serving import hint_features, session_state
from ...ranking.state import RecommendState
from ...ranking.trials import resolve_session
from ...runtime.batch_calls import ask_ahead
from ...runtime.budget import limited
from ...runtime.options import Context, RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..database import in_domain, with_domain
from ..first_stage.fusion import learn_fusions
from ..hints.results import RetiredHint
from ..releases.store import release_of, store_and_activate
from ..sessions.enough import too_few_calls
from ..sessions.selection import selected_sessions
from .few_cells import (
    first_to_visit,
    fully_paid,
    panel_size,
    pay_for_few,
    pays_for_every_cell,
    spent_on,
)
from .own_cells import own_cells, rows_to_judge
from .panel import ask_every_hint, try_on_panel
from .results import TrainedRelease
from .training_set import draw_training_set, promising_hints


async def train(  # noqa: PLR0913  # what a training can be
    context: Context,
    *,
    sessions: Sequence[Path] = (),
    keys: Sequence[int] | None = None,
    panel_hints: Sequence[int] | None = None,
    recipe: Recipe = "content",
    every_cell: bool = False,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    batch: bool = False,
    force: bool = False,
    activate: bool = True,
    progress: Progress = silent,
) -> TrainedRelease:
    """Train the hint policy with PPO on training sessions, and release it.

    It tries few hints in each session, and stops when more trials would likely bring less than
    their noise; see `few_cells`. With few sessions, or for several hints at once, it pays for every
    cell that PPO visits.

    Trials that were paid for before are not paid for again, so an interrupted run can be repeated.

    Args:
        context: The run's options. Its seed splits the sessions and samples the actions; its
            budget's limits are not used.
        sessions: Train only on these loaded training sessions (JSONL files); on all if empty.
        keys: Likewise, by their keys.
        panel_hints: Ids of the hints that are tried on the panel; `None` takes the best ones.
        recipe: `content`, or `paper` for the fixed network of arXiv 2403.16427.
        every_cell: Pay for every cell that PPO visits.
        max_llm_calls: Make at most so many model calls. What they can pay for is trained on, as far
            as training chooses its cells.
        max_cost: Likewise, what can be paid for with so much, at the prices in `RE2LLM_PRICES`.
        batch: First ask what is sure to be asked in provider batches, at a lower price, and wait.
        force: Activate the release even if it is worse than the active one.
        progress: Called with the stages `reading sessions`, `trying every hint`, `choosing
            trials` and `training`, and with those of `ask_ahead`.

    Raises:
        InputError: There is no such recipe or domain, or too few sessions or active hints.
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    check_recipe(recipe)
    started = time.perf_counter()
    budget = limited(context.budget, max_calls=max_llm_calls, max_cost=max_cost)
    # Trials are shared between trainings of any seed: they keep the settings' order of candidates.
    context = await with_domain(context)
    unseeded = replace(context, seed=None, budget=budget, command="train")
    options = await resolve_context(unseeded)
    seed = options.seed if context.seed is None else context.seed
    options.require_model()
    budget.require_prices(options.settings.prices, [options.model])
    selected = await selected_sessions(options, sessions, keys)
    drawn = await draw_training_set(options, selected, progress, panel_hints)
    states = await _resolved(drawn.sessions, options, progress)
    most = min(options.settings.max_hints, len(drawn.hints)) if recipe == "content" else 1
    every = pays_for_every_cell(len(states), options.settings, recipe, asked=every_cell)
    panel = states[: panel_size(len(states), options.settings, every_cell=every)]
    if batch:
        pieces = [partial(ask_every_hint, state, drawn.hints, options) for state in panel]
        await ask_ahead(pieces, options, progress)
    table = await RewardTable.of(drawn.domain_id, states, drawn.hints, options)
    await try_on_panel(table, len(panel), len(drawn.hints), progress)
    _, hints = await promising_hints(options)
    table = await RewardTable.of(drawn.domain_id, states, [hint for hint, _ in hints], options)
    most = min(most, len(hints))
    config = default_config(recipe, seed=seed, most=most)
    price = options.settings.hint_price
    search, stopped = None, None
    own = await own_cells(states, hints, options)
    rows, estimates = np.arange(len(states)), None
    if not every:
        search, stopped = await pay_for_few(table, states, hints, own, options, progress)
        rows, folds = search.rows, draw_folds(len(search.rows), config)
        estimates = await asyncio.to_thread(search.doubly_robust, folds)
    learned_from = [states[row] for row in rows]
    trained = await _train(table, estimates, learned_from, hints, recipe, config, price, progress)
    judged = rows_to_judge(own[rows], trained.choices, trained.folds)
    if search is not None:
        first = first_to_visit(options.settings)
        judged = await fully_paid(table, rows, trained.choices, own, first)
    metrics = await _judge(table, trained, rows, judged)
    choices = np.full((len(states), *trained.choices.shape[1:]), -1, dtype=np.int64)
    choices[rows[judged]] = trained.choices[judged]
    fusions = await _learn_fusions(states, hints, choices, options)
    metrics |= spent_on(search, stopped) | ({"fusion": fusions} if fusions else {})
    release = release_of(trained, recipe, config, metrics, [hint for hint, _ in hints], options)
    refusal = "" if activate else "It was asked for without activating it."
    if stopped == "limit" and not force:
        refusal = refusal or too_few_calls(metrics)
    number, why_not = await store_and_activate(release, options, force=force, refusal=refusal)
    return TrainedRelease(
        domain=options.domain,
        release=number,
        recipe=recipe,
        active=not why_not,
        why_not=why_not,
        **{name: value for name, value in metrics.items() if name != "fusion"},
        fusion=fusions,
        all_cells=len(states) * sum(math.comb(len(hints), size) for size in range(most + 1)),
        llm_calls=budget.calls,
        cost=round(budget.cost, 6),
        unanswered=table.unanswered,
        seconds=round(time.perf_counter() - started, 1),
        retired_hints=await _retire(options),
    )


async def _judge(
    table: RewardTable, trained: Trained, rows: NDArray[np.int64], judged: NDArray[np.int64]
) -> dict[str, Any]:
    chosen = trained.choices[judged]
    static = await table.rewards(rows[judged], np.ones_like(judged))
    return {
        "gain": round(float((await table.rewards(rows[judged], chosen)).mean()), 5),
        "static_gain": round(float(static.mean()), 5),
        "mean_hints": round(float((chosen > 0).sum()) / len(judged), 3),
        "validation_sessions": len(judged),
        "update": trained.update,
        "cells": table.cells,
    }


async def _learn_fusions(
    states: Sequence[RecommendState],
    hints: Sequence[HintAndEmbedding],
    choices: NDArray[np.int64],
    options: RunOptions,
) -> dict[str, Any]:
    if options.fuse != "learned":
        return {}
    judged = choices.reshape(len(states), -1)[:, 0] >= 0
    actions = {
        "none": np.zeros(len(states), dtype=np.int64),
        "static": np.where(judged, 1, -1),
        "ppo": choices,
    }
    learned = await learn_fusions(states, [hint for hint, _ in hints], actions, options)
    return {name: one.as_dict() for name, one in learned.items()}


async def _retire(options: RunOptions) -> list[RetiredHint]:
    async with in_domain(options, None, write=True) as (connection, domain):
        await update_stats(connection, domain.id, options)
        return [RetiredHint.of(hint) for hint in await retire_harmful(connection, domain.id)]


async def has_release(context: Context) -> bool:
    """Return whether a policy release is active in the run's domain."""
    async with in_domain(await resolve_context(context), None) as (connection, domain):
        return await active_release_number(connection, domain.id) is not None


async def _resolved(
    keys: Sequence[int], options: RunOptions, progress: Progress
) -> list[RecommendState]:
    states: list[RecommendState] = []
    for done, key in enumerate(keys):
        progress("reading sessions", done, len(keys))
        states.append(await resolve_session(options.domain, key, options))
    progress("reading sessions", len(keys), len(keys))
    return states


async def _train(
    table: RewardTable,
    estimates: NDArray[np.float64] | None,
    states: Sequence[RecommendState],
    hints: Sequence[HintAndEmbedding],
    recipe: Recipe,
    config: TrainingConfig,
    price: float,
    progress: Progress,
) -> Trained:
    """Train in a thread, which asks this event loop for the rewards that are not estimated.

    Args:
        estimates: Of the rewards of all actions in all states, for each member, `[M, S, A]`;
            `None` pays for rewards.
    """
    loop = asyncio.get_running_loop()

    def rewards(rows: NDArray[np.int64], actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return asyncio.run_coroutine_threadsafe(table.rewards(rows, actions), loop).result()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, "training", done, total)

    def estimated(mine: NDArray[np.float64]) -> Rewards:
        return lambda rows, actions: mine[rows, actions]

    data = TrainingData(
        np.stack([session_state(state, recipe) for state in states]),
        hint_features(hints),
        np.array([price * estimated_tokens(hint.text) / 1_000 for hint, _ in hints]),
    )
    earned = rewards if estimates is None else [estimated(mine) for mine in estimates]
    return await asyncio.to_thread(train_hint_policy, data, recipe, config, earned, progress=report)
