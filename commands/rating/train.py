"""`re2llm rater train`: trains a rating predictor as RecZero or RecOne."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...rating.traces import cases_to_trace, read_traces, write_traces
from ...rating.training.stages import TINY, train_processes, train_stages
from ...settings import get_settings
from ..console import fail, out, print_json, progress, run
from .reviews import (
    SAMPLE,
    ReviewsOption,
    SkipOption,
    SplitOption,
    divide,
    prompt_limits,
    read_reviews,
)

if TYPE_CHECKING:
    from ...rating.training.config import RaterConfig
    from .reviews import Reviews

_TINY_PROMPT = {"history": 4, "item_reviews": 3, "review_characters": 0, "title_characters": 12}


def train(
    model: Annotated[
        str, typer.Option(help="A model's folder or name; `tiny` builds a small one.")
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="Folder; run again to go on.")],
    recipe: Annotated[str, typer.Option(help="reczero or recone.")] = "recone",
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    traces: Annotated[
        Path | None, typer.Option(help="From `rater traces`. Default: the offline teacher's.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A hyper-parameter, NAME=VALUE; repeatable."),
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Hyper-parameters as a JSON object.")
    ] = None,
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print all hyper-parameters and stop.")
    ] = False,
    skip_malformed: SkipOption = False,
    seed: Annotated[int | None, typer.Option(help="Default: RE2LLM_SEED.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train a rater on reviews: reinforcement alone (reczero), or imitation first (recone).

    Example: re2llm rater train --model Qwen/Qwen2.5-7B-Instruct-1M --reviews reviews.jsonl
    --out rater --set lora_rank=64
    """
    if show_config:
        try:
            print_json(_config(model, config_file, settings or [], seed).as_dict())
        except InputError as error:
            fail(error)
        return
    run(
        lambda: _train(
            model,
            out_folder,
            recipe,
            (reviews, split, skip_malformed),
            traces,
            (config_file, settings or []),
            seed,
            as_json,
        )
    )


async def _train(
    model: str,
    folder: Path,
    recipe: str,
    source: tuple[str, str, bool],
    traces: Path | None,
    settings: tuple[Path | None, list[str]],
    seed: int | None,
    as_json: bool,
) -> None:
    import asyncio

    from ...rating.training.curve import read_curve
    from ...rating.training.trainer import require_training_extra

    if recipe not in {"reczero", "recone"}:
        raise InputError("--recipe", f"There is no {recipe!r}.", "Choose reczero or recone.")
    seed = get_settings().seed if seed is None else seed
    config = _config(model, *settings, seed)
    require_training_extra(config)
    histories = read_reviews(source[0], skip_malformed=source[2])
    limits = prompt_limits(_TINY_PROMPT if model == TINY else {})
    reviews = divide(histories, source[1], seed, limits)
    rows: list[dict[str, Any]] = []
    processes = train_processes()
    if recipe == "recone":
        with processes.main_process_first():
            rows = await _traces(reviews, traces, folder, config)
    with progress() as bar:
        tasks: dict[str, Any] = {}

        def tell(stage: str, step: int, steps: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task({"sft": "imitating"}.get(stage, "reinforcing"))
            bar.update(tasks[stage], completed=step, total=steps)

        await asyncio.to_thread(_quiet)
        # Not in a thread: Ctrl-C must reach the trainer.
        trained = train_stages(folder, model, recipe, reviews, rows, config, tell)
    if not processes.is_main_process:
        return
    points = [point for point in read_curve(folder / "curve.jsonl") if point["stage"] == "grpo"]
    last = points[-10:]
    figures = {
        name: round(sum(point[name] for point in last) / len(last), 4)
        for name in ("reward", "valid", "mae", "length")
        if last and all(name in point for point in last)
    }
    if as_json:
        print_json({"model": str(trained), "updates": len(points), "last_updates": figures})
        return
    listed = ", ".join(f"{name} {value:g}" for name, value in figures.items())
    out.print(
        f"{trained}: {len(points)} updates; over the last {len(last)}: {listed}.", markup=False
    )


async def _traces(
    reviews: Reviews, file: Path | None, folder: Path, config: RaterConfig
) -> list[dict[str, Any]]:
    if file is not None:
        wanted = {(case.review.user, case.review.item.id) for case in reviews.split.train}
        found = [row for row in read_traces(file) if (row["user"], row["item"]) in wanted]
        if not found:
            raise InputError(
                "--traces",
                f"{file} holds no trace of these training ratings.",
                "Run `re2llm rater traces` with the same reviews and split.",
            )
        return found
    from ...runtime.options import Context, resolve_context
    from ...settings import OFFLINE_MODEL

    options = await resolve_context(Context(model=OFFLINE_MODEL, command="rater train"))
    beside = folder.with_name(folder.name + "-traces.jsonl")
    cases = cases_to_trace(reviews, config.traces, config.seed)
    return (await write_traces(reviews, cases, beside, options)).whole()


def _config(model: str, file: Path | None, settings: list[str], seed: int | None) -> RaterConfig:
    from ...rating.training.config import RaterConfig, tiny_config

    values: dict[str, object] = {} if seed is None else {"seed": seed}
    if file is not None:
        try:
            values |= json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                "--config", f"{file} cannot be read as a JSON object ({error}).", "Mend it."
            ) from error
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError("--set", f"{setting!r} has no value.", "Write NAME=VALUE.")
        values[name.strip()] = value
    return (tiny_config() if model == TINY else RaterConfig()).changed(values)


def _quiet() -> None:
    """Keep the libraries' own progress bars and notes off the terminal."""
    import warnings
    from importlib import import_module

    from transformers.utils import logging

    # Of names that transformers and TRL give up among themselves.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    datasets: Any = import_module("datasets")  # of the extra `train`
    datasets.disable_progress_bars()
