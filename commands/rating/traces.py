"""`re2llm rater traces`: a teacher's answers for a cold start."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ModelDownError
from ...rating.traces import cases_to_trace, write_traces
from ...settings import get_settings
from ..budgets import MaxCalls, MaxCost, check_budget
from ..console import err, out, print_json, run
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
    from ...runtime.budget import Budget


def traces(
    out_file: Annotated[Path, typer.Option("--out", help="JSONL; run again to go on.")],
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    model: Annotated[str | None, typer.Option(help="The teacher. Default: RE2LLM_MODEL.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many ratings to trace.")] = 1000,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    skip_malformed: SkipOption = False,
    seed: Annotated[int | None, typer.Option(help="Of the split. Default: RE2LLM_SEED.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Have a teacher reason towards known ratings; answers that are right are kept to imitate.

    A wrong answer is written anew with the truth in sight. The offline teacher works by template.
    Ratings are drawn at random; a smaller draw is the start of a larger one.

    Example: re2llm rater traces --reviews reviews.jsonl --model openai:gpt-4.1 --out traces.jsonl
    """
    from ...runtime.budget import Budget

    budget = Budget(max_calls=max_llm_calls, max_cost=max_cost)
    run(
        lambda: _traces(
            out_file, (reviews, split, skip_malformed), model, limit, budget, seed, as_json
        )
    )


async def _traces(
    file: Path,
    source: tuple[str, str, bool],
    model: str | None,
    limit: int,
    budget: Budget,
    seed: int | None,
    as_json: bool,
) -> None:
    from ...runtime.options import Context, resolve_context

    seed = get_settings().seed if seed is None else seed
    histories = read_reviews(source[0], skip_malformed=source[2])
    reviews = divide(histories, source[1], seed, prompt_limits({}))
    options = await resolve_context(Context(model=model, budget=budget, command="rater traces"))
    check_budget(budget, [options.model])
    traced = await write_traces(reviews, cases_to_trace(reviews, limit, seed), file, options)
    outcomes = Counter(row["outcome"] for row in traced.rows)
    if as_json:
        print_json(
            {
                "file": str(file),
                "llm_calls": budget.calls,
                "cost": round(budget.cost, 6),
                "left": traced.left,
                **outcomes,
            }
        )
    else:
        counted = (f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
        listed = ", ".join(counted) or "no traces"
        out.print(f"{file}: {listed}; {budget.calls:,} model calls.", markup=False)
    if traced.stopped is not None:
        err.print(f"stopped: {traced.stopped} {traced.left:,} are left.", markup=False)
    if isinstance(traced.stopped, ModelDownError):
        raise typer.Exit(1)
