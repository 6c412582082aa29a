"""RecOne as in the paper on one card of 80 GB: Qwen2.5-7B-Instruct-1M, traced, trained, measured.

python -m benchmarks.train_rater --reviews reviews.jsonl --traces traces.jsonl --out out/qwen

Before it costs hours, `--updates 2` with a small `--model` tries every step on any machine.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from re2llm.commands.console import fail, progress_bars, run
from re2llm.commands.files import write_json
from re2llm.commands.rating.expected_end import with_expected_end
from re2llm.commands.rating.hyper_parameters import set_parameters
from re2llm.errors import InputError
from re2llm.operations.rating.evaluate import evaluate_raters
from re2llm.operations.rating.train import train_rater
from re2llm.rating.baselines import check_rating_baselines
from re2llm.rating.corpus import ReviewSource
from re2llm.rating.training.config import RaterConfig, rater_config
from re2llm.rating.training.description import RATER_FILE
from re2llm.runtime.context import Context

PAPER = "Qwen/Qwen2.5-7B-Instruct-1M"
CARD: dict[str, object] = {
    # All weights of 7B need some 60 GB before activations; adapters train at ten times the rate.
    "lora_rank": 64,
    "lora_alpha": 128,
    "learning_rate": 2e-5,
    "sft_learning_rate": 1e-4,
    "completions_per_device": 8,
    "gradient_checkpointing": True,
    "bf16": True,
}
"""What one card adds to the paper's settings, which are the defaults of `RaterConfig`."""


def configuration(model: str, updates: int | None, settings: list[str]) -> RaterConfig:
    """Return the paper's settings for this card, or the small model's own, with changes."""
    values: dict[str, object] = dict(CARD) if model == PAPER else {}
    if updates is not None:
        values |= {"max_steps": updates}
    return rater_config(model, values | set_parameters(settings))


def device() -> dict[str, Any]:
    """Return the name of the card and the most memory that it held, in GiB; empty without one."""
    cuda = import_module("torch").cuda
    if not cuda.is_available():
        return {}
    return {
        "card": cuda.get_device_name(),
        "card_memory_gib": round(cuda.max_memory_allocated() / 2**30, 1),
    }


def main(  # noqa: PLR0917  # an argument for every option
    reviews: Annotated[str, typer.Option(help="JSONL, a folder of MovieLens, or `sample`.")],
    out: Annotated[Path, typer.Option(help="Folder; run again to continue.")],
    traces: Annotated[
        Path | None, typer.Option(help="From `rater traces`; default: the offline teacher's.")
    ] = None,
    model: Annotated[str, typer.Option(help="The base model.")] = PAPER,
    split: Annotated[str, typer.Option(help="last, users or mixed.")] = "mixed",
    updates: Annotated[int | None, typer.Option(min=1, help="Stop GRPO after N.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Evaluate N ratings.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Sampled answers to average.")] = 8,
    baselines: Annotated[
        str, typer.Option(help="Measured, too; mf needs the extra sasrec.")
    ] = "user-mean,item-mean,bias",
    settings: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE")] = None,
) -> None:
    """Train a rater, measure it, and write `figures.json` with time and memory into the folder.

    The hours of training are those of this run; `resumed` says that an earlier one did a part.
    """
    names = baselines.split(",")
    try:
        config = configuration(model, updates, settings or [])
        check_rating_baselines(names)  # not after hours of training
    except InputError as error:
        fail(error)
    source = ReviewSource(path=reviews, split=split, seed=config.seed)

    async def work() -> dict[str, Any]:
        resumed = (out / RATER_FILE).exists()
        started = time.monotonic()
        with progress_bars(counts=False) as bars:
            trained = await train_rater(
                Context(command="benchmarks.train_rater"),
                source,
                model,
                out,
                config=config,
                traces=traces,
                progress=with_expected_end(bars),
            )
            if trained is None:
                return {}
            hours = (time.monotonic() - started) / 3600
            measured = await evaluate_raters(
                Context(command="benchmarks.train_rater"),
                source,
                checkpoint=trained.model,
                baselines=names,
                limit=limit,
                samples=samples,
                progress=bars,
            )
        figures = {
            "model": model,
            # If an earlier run was stopped, its hours are not among these.
            "hours": round(hours, 3),
            "resumed": resumed,
            **device(),
            "trained": {**asdict(trained), "model": str(trained.model)},
            "config": config.model_dump(),
            "measured": measured,
        }
        await write_json("--out", out / "figures.json", figures)
        return figures

    figures = run(work)
    if figures:
        print(json.dumps({key: figures[key] for key in ("hours", "resumed", "trained")}, indent=2))


if __name__ == "__main__":
    typer.run(main)
