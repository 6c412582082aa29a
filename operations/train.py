"""Trains the hint policy and releases it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, ModelDownError
from ..knowledge.hint_stats import retire_harmful
from ..knowledge.hints import HintAndEmbedding, best_hints
from ..knowledge.releases import active_release_number
from ..policies.recipes import Recipe, TrainingConfig, default_config
from ..policies.training import Trained, TrainingData, train_hint_policy
from ..ranking.hint_stats import update_stats
from ..ranking.panels import random_sessions
from ..ranking.rewards import RewardTable
from ..ranking.serving import hint_features, session_state
from ..ranking.state import RecommendState
from ..ranking.trials import resolve_session, try_hint
from ..runtime.batch_calls import ask_ahead
from ..runtime.budget import Budget
from ..runtime.options import Context, RunOptions, resolve_context
from ..runtime.progress import Progress, silent
from ..runtime.questions import Questions
from .database import in_domain
from .enough import ENOUGH_SESSIONS, FEWEST_TO_TRAIN
from .first_stage import fit_first_stage
from .fusion import learn_fusions
from .hint_results import RetiredHint
from .selection import selected_sessions
from .store_release import release_of, store_and_activate


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRelease:
    """A trained policy that was stored as a release.

    Attributes:
        domain: The catalogue.
        release: Its number.
        recipe: Which kind of policy.
        active: Whether it serves now.
        why_not: Why it does not serve; empty if it does.
        gain: Mean gain in NDCG@10 over no hint on validation sessions.
        static_gain: Likewise, of the best single hint.
        validation_sessions: How many there are.
        update: PPO rollouts before the chosen checkpoint.
        cells: Pairs of session and hint that training visited.
        all_cells: Pairs that there are, with no hint counted as one.
        llm_calls: Model calls, retries included.
        cost: By `RE2LLM_PRICES`.
        unanswered: Trials that the model left unanswered.
        fusion: For each way to choose hints, how much the model's opinion counts beside the first
            stage and what it adds; empty where the model alone ranks.
        seconds: How long it took.
        retired_hints: Hints that were retired for harm that its trials have shown.
    """

    domain: str
    release: int
    recipe: Recipe
    active: bool
    why_not: str
    gain: float
    static_gain: float
    validation_sessions: int
    update: int
    cells: int
    all_cells: int
    llm_calls: int
    cost: float
    unanswered: int
    fusion: Mapping[str, Any]
    seconds: float
    retired_hints: list[RetiredHint]

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON primitives."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "retired_hints": [hint.model_dump() for hint in self.retired_hints],
        }


async def train(
    context: Context,
    *,
    sessions: Sequence[Path] = (),
    recipe: Recipe = "content",
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    batch: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> TrainedRelease:
    """Train the hint policy with PPO on training sessions, and release it.

    Trials that were paid for before are not paid for again, so an interrupted run can be repeated.

    Args:
        context: The run's options. Its seed splits the sessions and samples the actions; its
            budget is not used.
        sessions: Train only on these loaded training sessions (JSONL files); on all if empty.
        recipe: `content`, or `paper` for the fixed network of arXiv 2403.16427.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        batch: First ask what is sure to be asked in provider batches, at a lower price, and wait.
        force: Activate the release even if it is worse than the active one.
        progress: Called with the stages `reading sessions`, `trying every hint` and `training`, and
            with those of `ask_ahead`.

    Raises:
        InputError: There is no such recipe or domain, or too few sessions or active hints.
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    if recipe not in get_args(Recipe):
        raise InputError("recipe", f"There is no recipe {recipe!r}.", "Choose content or paper.")
    started = time.perf_counter()
    budget = Budget(max_calls=max_llm_calls, max_cost=max_cost)
    # Trials are shared between trainings of any seed: they keep the settings' order of candidates.
    unseeded = replace(context, seed=None, budget=budget, command="train")
    options = await resolve_context(unseeded)
    seed = options.seed if context.seed is None else context.seed
    options.require_model()
    budget.require_prices(options.settings.prices, [options.model])
    await fit_first_stage(options, progress=progress)
    keys = await selected_sessions(options, sessions)
    keys = random_sessions(keys, options.settings.train_sessions, options.settings.seed)
    domain_id, hints = await _measured_hints(options)
    if not hints or len(keys) < FEWEST_TO_TRAIN:
        raise _too_little(options.domain, len(hints), len(keys))
    states = await _resolved(keys, options, progress)
    if batch:
        panel = states[: options.settings.train_panel]
        await ask_ahead(
            [partial(_ask_every_hint, state, hints, options) for state in panel], options, progress
        )
    await _try_on_panel(domain_id, states, hints, options, progress)
    _, hints = await _measured_hints(options)
    table = await RewardTable.of(domain_id, states, [hint for hint, _ in hints], options)
    config = default_config(recipe, seed=seed)
    trained = await _train(table, states, hints, recipe, config, progress)
    judged = np.flatnonzero(trained.folds >= 0)
    static = float((await table.rewards(judged, np.ones_like(judged))).mean())
    metrics: dict[str, Any] = {
        "gain": round(trained.validation_reward, 5),
        "static_gain": round(static, 5),
        "validation_sessions": len(judged),
        "update": trained.update,
        "cells": trained.cells,
    }
    fusions: dict[str, Any] = {}
    if options.fuse == "learned":
        actions = {
            "none": np.zeros(len(states), dtype=np.int64),
            "static": np.where(trained.folds >= 0, 1, -1),
            "ppo": trained.choices,
        }
        learned = await learn_fusions(states, [hint for hint, _ in hints], actions, options)
        fusions = {name: one.as_dict() for name, one in learned.items()}
        metrics["fusion"] = fusions
    release = release_of(trained, recipe, config, metrics, [hint for hint, _ in hints], options)
    number, why_not = await store_and_activate(release, options, force=force)
    return TrainedRelease(
        domain=options.domain,
        release=number,
        recipe=recipe,
        active=not why_not,
        why_not=why_not,
        **{name: value for name, value in metrics.items() if name != "fusion"},
        fusion=fusions,
        all_cells=len(keys) * (len(hints) + 1),
        llm_calls=budget.calls,
        cost=round(budget.cost, 6),
        unanswered=table.unanswered,
        seconds=round(time.perf_counter() - started, 1),
        retired_hints=await _retire(options),
    )


def _too_little(domain: str, hints: int, sessions: int) -> InputError:
    remedy = (
        f"Run `re2llm learn --domain {domain}`, or add hints by hand: `re2llm hints add`. "
        "`re2llm measure` tells whether the model adds anything to learn from."
        if sessions >= ENOUGH_SESSIONS
        else f"At least {FEWEST_TO_TRAIN} sessions are needed, and about {ENOUGH_SESSIONS} are "
        "enough. Load more (`re2llm load … --sessions FILE`), then run `re2llm learn`. "
        "Until then, answers come without a hint."
    )
    return InputError(
        "domain",
        f"{domain!r} has {hints} active hints and {sessions} training sessions.",
        remedy,
    )


async def _retire(options: RunOptions) -> list[RetiredHint]:
    async with in_domain(options, None, write=True) as (connection, domain):
        await update_stats(connection, domain.id, options)
        return [RetiredHint.of(hint) for hint in await retire_harmful(connection, domain.id)]


async def has_release(context: Context) -> bool:
    """Return whether a policy release is active in the run's domain."""
    async with in_domain(await resolve_context(context), None) as (connection, domain):
        return await active_release_number(connection, domain.id) is not None


async def _measured_hints(options: RunOptions) -> tuple[int, list[HintAndEmbedding]]:
    async with in_domain(options, None, write=True) as (connection, domain):
        await update_stats(connection, domain.id, options)
        count = options.settings.shortlist
        return domain.id, await best_hints(connection, domain.id, count=count)


async def _resolved(
    keys: Sequence[int], options: RunOptions, progress: Progress
) -> list[RecommendState]:
    states: list[RecommendState] = []
    for done, key in enumerate(keys):
        progress("reading sessions", done, len(keys))
        states.append(await resolve_session(options.domain, key, options))
    progress("reading sessions", len(keys), len(keys))
    return states


async def _ask_every_hint(
    state: RecommendState,
    hints: Sequence[HintAndEmbedding],
    options: RunOptions,
    questions: Questions,
) -> None:
    """Collect the questions that `_try_on_panel` will ask about a session."""
    collecting = replace(options, questions=questions)
    for hint in (None, *(hint.text for hint, _ in hints)):
        with suppress(ModelDownError):
            await try_hint(state, hint, collecting)


async def _try_on_panel(
    domain_id: int,
    states: Sequence[RecommendState],
    hints: Sequence[HintAndEmbedding],
    options: RunOptions,
    progress: Progress,
) -> None:
    """Try every hint on the same random sessions, so that the policy starts from fair means.

    Verification tried each hint on only a few sessions, and kept those that were lucky there.
    """
    table = await RewardTable.of(domain_id, states, [hint for hint, _ in hints], options)
    count = min(len(states), options.settings.train_panel)
    actions = np.arange(1, len(hints) + 1)
    for row in range(count):  # the states are in random order already
        progress("trying every hint", row, count)
        await table.rewards(np.full_like(actions, row), actions)
    progress("trying every hint", count, count)


async def _train(
    table: RewardTable,
    states: Sequence[RecommendState],
    hints: Sequence[HintAndEmbedding],
    recipe: Recipe,
    config: TrainingConfig,
    progress: Progress,
) -> Trained:
    """Train in a thread, which asks this event loop for rewards."""
    loop = asyncio.get_running_loop()

    def rewards(rows: NDArray[np.int64], actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return asyncio.run_coroutine_threadsafe(table.rewards(rows, actions), loop).result()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, "training", done, total)

    data = TrainingData(
        np.stack([session_state(state, recipe) for state in states]), hint_features(hints)
    )
    return await asyncio.to_thread(
        train_hint_policy, data, recipe, config, rewards, progress=report
    )
