"""Trains the hint policy and releases it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...llm.prices import estimated_tokens
from ...policies.recipes import PolicyRecipe, TrainingConfig, check_recipe, default_config
from ...policies.training import Trained, TrainingData, train_hint_policy
from ...ranking.policy_inputs import hint_features, session_state
from ...runtime.context import Context
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..hints.harmful import judge_by_trials
from ..hints.refresh_stats import refreshing_stats
from ..releases.store import release_of, store_and_activate
from ..sessions.selection import selected_sessions
from .activation import check_activation
from .judged import Judged
from .results import TrainedRelease
from .training_set import draw_training_set
from .tried import Tried, try_hints


async def train(  # noqa: PLR0913  # what a training can be
    context: Context,
    *,
    sessions: Sequence[Path] = (),
    keys: Sequence[int] | None = None,
    panel_hints: Sequence[int] | None = None,
    recipe: PolicyRecipe = "content",
    every_cell: bool = False,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    batch: bool = False,
    force: bool = False,
    activate: bool = True,
    progress: Progress = silent,
) -> TrainedRelease:
    """Train the hint policy with PPO on training sessions, and release it.

    It tries the best hints in one session after another, and stops when more would likely gain
    less than its noise; see `few_cells`. For several hints at once, it pays for the sets that PPO
    visits. With few sessions, it pays for every cell that PPO visits.

    Trials that were paid for before are not paid for again, so an interrupted run can be repeated.

    Args:
        context: The run's options. Its seed splits the sessions and samples the actions; its
            budget's limits are not used.
        sessions: Train only on these loaded training sessions (JSONL files); on all if empty.
        keys: Likewise, by their keys.
        panel_hints: Ids of the hints that are tried on the panel; `None` takes the best ones.
        recipe: `content`, or `paper` for the fixed network of arXiv 2403.16427.
        every_cell: Choose from all hints, and pay for every cell that PPO visits.
        max_llm_calls: Make at most so many model calls. What they can pay for is trained on, as far
            as training chooses its cells.
        max_cost: Likewise, what can be paid for with so much, at the prices in `RE2LLM_PRICES`.
        batch: First ask what is sure to be asked in provider batches, at a lower price, and wait.
        force: Activate the release even if it is worse than the active one, or clearly worse than
            no hint or the best single hint.
        activate: Whether to serve the release, if it may be; without, it waits to be rolled out or
            activated.
        progress: Called with the stages `reading sessions`, `trying every hint`, `trying the best
            hints` and `training`, and with those of `ask_ahead`.

    Raises:
        InputError: There is no such recipe or domain, or too few sessions or active hints, or
            `force` is given without `activate`.
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    check_recipe(recipe)
    check_activation(activate=activate, force=force)
    started = time.perf_counter()
    # Trials are shared between trainings of any seed: they keep the settings' order of candidates.
    unseeded = replace(context, seed=None)
    _, options, budget = await budgeted(
        unseeded, "train", max_llm_calls=max_llm_calls, max_cost=max_cost, learns=True
    )
    seed = options.seed if context.seed is None else context.seed
    selected = await selected_sessions(options, sessions, keys)
    drawn = await draw_training_set(options, selected, progress, panel_hints)
    async with refreshing_stats(options):
        tried = await try_hints(
            drawn, recipe, options, every_cell=every_cell, batch=batch, progress=progress
        )
        hints = [hint for hint, _ in tried.hints]
        limit = options.settings.max_hints if recipe == "content" else 1
        most = min(limit, len(drawn.hints), len(hints))
        config = default_config(recipe, seed=seed, most=most)
        trained = await _train(tried, recipe, config, options, progress)
    judged = (await Judged.of(tried, trained, options)).no_worse_than_one_hint()
    fusions = await judged.fusions(options)
    metrics, worse = judged.metrics(), judged.worse()
    of_release = metrics | {"worse": worse} | ({"fusion": fusions} if fusions else {})
    release = release_of(
        judged.trained,
        recipe,
        config,
        of_release,
        hints,
        options,
        seconds=time.perf_counter() - started,
        left_out=tried.left_out,
    )
    against = "" if force else worse or judged.too_little()
    number, why_not = await store_and_activate(
        release, options, force=force, activate=activate, against=against
    )
    ended_by = metrics.pop("stopped")  # in answers, that is an error
    return TrainedRelease(
        domain=options.domain,
        release=number,
        recipe=recipe,
        active=not why_not,
        why_not=why_not,
        **metrics,
        visits_ended_by=ended_by,
        fusion=fusions,
        all_cells=len(tried.states) * sum(math.comb(tried.count, n) for n in range(most + 1)),
        **spent(budget),
        **drawn.forgotten.paid(),
        unanswered=tried.table.unanswered,
        seconds=round(time.perf_counter() - started, 1),
        retired_hints=await judge_by_trials(options),
    )


async def _train(
    tried: Tried,
    recipe: PolicyRecipe,
    config: TrainingConfig,
    options: RunOptions,
    progress: Progress,
) -> Trained:
    """Train in a thread, on rewards for which it asks this event loop."""
    loop = asyncio.get_running_loop()

    def rewards(rows: NDArray[np.int64], actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return asyncio.run_coroutine_threadsafe(tried.rewards(rows, actions), loop).result()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, "training", done, total)

    price = options.settings.hint_price
    data = TrainingData(
        np.stack([session_state(tried.states[int(row)], recipe) for row in tried.rows]),
        hint_features(tried.hints),
        np.array([price * estimated_tokens(hint.text) / 1_000 for hint, _ in tried.hints]),
    )
    return await asyncio.to_thread(
        train_hint_policy, data, recipe, config, rewards, progress=report
    )
