"""Trains a rater as RecZero or RecOne."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, cast, get_args

from ...errors import InputError
from ...llm.ratings.limits import written
from ...rating.corpus import RatingCorpus, ReviewSource
from ...rating.traces import cases_to_trace, fitting_traces, read_traces, write_traces
from ...rating.training.config import TINY, RaterConfig, RaterRecipe
from ...rating.training.curve import grpo_points, read_curve, reward_gain, with_reward
from ...rating.training.selection import cases_to_reinforce
from ...rating.training.stages import (
    CURVE_FILE,
    require_training_extra,
    train_processes,
    train_stages,
)
from ...records import counted
from ...runtime.blocking import ctrl_c_raises
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.progress import Progress, silent
from ...settings import OFFLINE_MODEL

_TINY_PROMPT = {"history": 4, "item_reviews": 3, "review_characters": 0, "title_characters": 12}
_LAST = 10


@dataclass(frozen=True, slots=True)
class TrainedRater:
    """A trained rater.

    Attributes:
        model: Its folder.
        updates: GRPO updates.
        last_updates: Mean `reward`, `valid`, `mae` and `length` of the last ten of them.
        reward_gain: How the last five compare with the first five; see `reward_gain`.
        peak_memory_gib: The most memory that this process held.
    """

    model: Path
    updates: int
    last_updates: Mapping[str, float]
    reward_gain: Mapping[str, Any] | None = None
    peak_memory_gib: float = 0.0


async def train_rater(
    context: Context,
    source: ReviewSource,
    model: str,
    folder: Path,
    *,
    config: RaterConfig,
    recipe: str = "recone",
    traces: Path | None = None,
    progress: Progress = silent,
) -> TrainedRater | None:
    """Train a rater on reviews; if run again, it continues where it stopped.

    It trains in the caller's thread, where Ctrl-C reaches the trainer.

    Args:
        model: A model's folder or its name on a hub, or `tiny` to build a small one.
        recipe: `recone` imitates traces before the reinforcement; `reczero` does not.
        traces: Traces from `trace_ratings`; with `None`, the offline model writes them.
        progress: Called with the stage: `tracing`, `sft` or `grpo`.

    Returns:
        The rater; `None` in processes that only help the main one.

    Raises:
        InputError: Something cannot be used, or the folder belongs to another training.
    """
    if recipe not in get_args(RaterRecipe):
        raise InputError("recipe", f"There is no recipe {recipe!r}.", "Choose reczero or recone.")
    require_training_extra(config)
    short = _TINY_PROMPT if model == TINY and traces is None else {}
    corpus = await asyncio.to_thread(source.corpus, source.limits(**short))
    low, high = written(corpus.scale.low), written(corpus.scale.high)
    source.warn(f"{counted(len(corpus.split.train), 'rating')} to train on, from {low} to {high}.")
    cases_to_reinforce(corpus, config)  # refused before anything is traced
    rows: list[dict[str, Any]] = []
    processes = train_processes()
    if recipe == "recone":
        with processes.main_process_first():
            rows = (
                await _offline_traces(context, corpus, folder, config, progress)
                if traces is None
                else _traces_of(corpus, traces)
            )
    kind = cast("RaterRecipe", recipe)
    with ctrl_c_raises():
        trained = train_stages(folder, model, kind, corpus, rows, config, progress)
    if not processes.is_main_process:
        return None
    points = grpo_points(read_curve(folder / CURVE_FILE))
    last = with_reward(points)[-_LAST:]
    means = {
        name: round(fmean(point[name] for point in last), 4)
        for name in ("reward", "valid", "mae", "length")
        if last and all(name in point for point in last)
    }
    return TrainedRater(trained, len(points), means, reward_gain(points), _peak_memory())


def _peak_memory() -> float:
    """Return the most memory that this process held, in GiB; macOS counts bytes, Linux KiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most * (1 if sys.platform == "darwin" else 1024) / 2**30, 2)


def _traces_of(corpus: RatingCorpus, file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        raise InputError(
            "traces",
            f"{file} does not exist.",
            "Name one, or leave it out for the offline teacher's.",
        )
    found = fitting_traces(read_traces(file), corpus, corpus.split.train)
    if not found:
        raise InputError(
            "traces",
            f"{file} holds no trace of these training ratings with the prompts that they have now.",
            "Run `re2llm rater traces` with the same reviews, split and settings of the prompt.",
        )
    return found


async def _offline_traces(
    context: Context,
    corpus: RatingCorpus,
    folder: Path,
    config: RaterConfig,
    progress: Progress,
) -> list[dict[str, Any]]:
    options = await resolve_context(replace(context, model=OFFLINE_MODEL))
    cases = cases_to_trace(corpus, config.traces, config.seed)
    return (await write_traces(corpus, cases, _beside(folder), options, progress)).complete()


def _beside(folder: Path) -> Path:
    """Return the file of traces next to a folder, which may be named `.` or `..`."""
    named = folder if folder.name.strip(".") else folder.resolve()
    return named.parent / f"{named.name}-traces.jsonl"
