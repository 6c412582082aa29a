"""`re2llm rater traces`: a teacher's answers for a cold start."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...records import counted
from ..console import out, print_json, progress_bars, run
from ..options import MaxCalls, MaxCost
from ..stopped import say_stopped
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
    from ...rating.traces import Traced


def traces(
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="JSONL; run again to continue.")
    ],
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    scale: ScaleOption = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The teacher. Default: RE2LLM_MODEL.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many ratings to trace.")
    ] = 1000,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    skip_malformed: SkipOption = False,
    seed: SeedOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Have a teacher model reason towards known ratings.

    Correct answers are kept for imitation. After a wrong answer, the teacher is shown the true
    rating and writes again. The offline teacher fills in a template. Ratings are drawn at random;
    a larger draw starts with the ratings of a smaller one.

    Example: re2llm rater traces --reviews reviews.jsonl --model openai:gpt-4.1 --out traces.jsonl
    """
    from ...operations.budgeted import spent
    from ...operations.rating.traces import trace_ratings
    from ...runtime.budget import Budget
    from ...runtime.context import Context

    budget = Budget(max_llm_calls=max_llm_calls, max_cost=max_cost)
    context = Context(model=model, budget=budget, command="rater traces")

    async def work() -> Traced:
        source = review_source(
            reviews, split=split, scale=scale, skip_malformed=skip_malformed, seed=seed
        )
        with progress_bars() as progress:
            return await trace_ratings(context, source, out_file, limit=limit, progress=progress)

    traced = run(work)
    outcomes = Counter(row["outcome"] for row in traced.rows)
    if as_json:
        stopped = None if traced.stopped is None else traced.stopped.as_dict()
        counts = {**spent(budget), "left": traced.left, "stopped": stopped}
        print_json({"file": str(out_file), **counts, **outcomes})
    else:
        tallies = (f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
        listed = ", ".join(tallies) or "no traces"
        out.print(f"{out_file}: {listed}; {counted(budget.llm_calls, 'model call')}.")
    say_stopped(traced.stopped, f"{counted(traced.left, 'rating is', 'ratings are')} left.")
