"""`re2llm rater evaluate`: raters and baselines on the same ratings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError
from ...records import counted
from ..console import fail, progress_bars, run
from ..files import check_writable, write_json
from ..options import MaxCalls, MaxCost
from ..tables import print_table
from .options import (
    SAMPLE,
    ReviewsOption,
    ScaleOption,
    SeedOption,
    SkipOption,
    SplitOption,
    review_source,
)
from .rating_tables import print_groups, print_paired


def evaluate(
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    scale: ScaleOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A trained rater's folder, run here without a server."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A chat model, such as offline or openai:NAME."),
    ] = None,
    baselines: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Comma-separated: global-mean, user-mean, bias, mf …; '' for none.",
        ),
    ] = "global-mean,global-median,user-mean,item-mean,bias",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Evaluate only this many ratings.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            metavar="N",
            help="Also take the mean of this many sampled answers. Default: RE2LLM_RATE_SAMPLES.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the calibration into this file, a PNG or an SVG."),
    ] = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the metrics to this file; - prints them."
        ),
    ] = None,
    skip_malformed: SkipOption = False,
    seed: SeedOption = None,
) -> None:
    """Measure MAE, RMSE and the share of invalid answers.

    Training never sees these ratings. An invalid answer counts as the rating furthest from the
    true one.

    Example: re2llm rater evaluate --reviews reviews.jsonl --split users --checkpoint rater/model
    """
    from ...operations.rating.evaluate import evaluate_raters
    from ...runtime.budget import Budget
    from ...runtime.context import Context

    if plot is not None:
        from ...evaluation.rating_plot import check_plot

        try:
            check_plot(plot)
        except InputError as error:
            fail(error)
    names = [name.strip() for name in baselines.split(",") if name.strip()]
    budget = Budget(max_llm_calls=max_llm_calls, max_cost=max_cost)

    async def work() -> None:
        source = review_source(
            reviews, split=split, scale=scale, skip_malformed=skip_malformed, seed=seed
        )
        for field, file in (("--json", json_file), ("--plot", plot)):
            check_writable(field, file)
        with progress_bars() as progress:
            document = await evaluate_raters(
                Context(budget=budget, command="rater evaluate"),
                source,
                model=model,
                checkpoint=checkpoint,
                baselines=names,
                limit=limit,
                samples=samples,
                progress=progress,
            )
        if json_file is None or str(json_file) != "-":
            low, high = document["scale"]
            ratings = f"{counted(document['n'], 'rating')} from {low:g} to {high:g}"
            _print(document, f"{reviews}, split by {split}: {ratings}")
        if json_file is not None:
            await write_json("--json", json_file, document)
        if plot is not None:
            from ...evaluation.rating_plot import draw_calibration

            await asyncio.to_thread(draw_calibration, document, plot)

    run(work)


def _print(document: dict[str, Any], title: str) -> None:
    numbers = ("MAE", "95 % interval", "RMSE", "95 % interval", "invalid", "calls")
    rows: list[list[str]] = []
    for row in sorted(document["rows"], key=lambda row: row["mae"]):
        intervals = [
            ", ".join(f"{end:.3f}" for end in row["ci95"][name]) for name in ("mae", "rmse")
        ]
        mae, rmse = f"{row['mae']:.3f}", f"{row['rmse']:.3f}"
        invalid = row.get("invalid_samples", row["invalid"])
        last = (f"{invalid:.1%}", f"{row['llm_calls']:,}")
        rows.append([row["name"], row["kind"], mae, intervals[0], rmse, intervals[1], *last])
    print_table(("", "kind", *numbers), rows, right=numbers, title=title)
    print_paired(document["paired"])
    print_groups(document["groups"])
