"""`re2llm rater traces`: a teacher's answers for a cold start."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from ..settings import get_settings
from .console import out, print_json, run
from .rater_reviews import (
    SAMPLE,
    ReviewsOption,
    SkipOption,
    SplitOption,
    divide,
    prompt_limits,
    read_reviews,
)
from .rater_tracing import write_traces


def traces(
    out_file: Annotated[Path, typer.Option("--out", help="JSONL; run again to go on.")],
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    model: Annotated[str | None, typer.Option(help="The teacher. Default: RE2LLM_MODEL.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many ratings to trace.")] = 1000,
    max_llm_calls: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    skip_malformed: SkipOption = False,
    seed: Annotated[int | None, typer.Option(help="Of the split. Default: RE2LLM_SEED.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Have a teacher reason towards known ratings; answers that are right are kept to imitate.

    A wrong answer is written anew with the truth in sight. The offline teacher works by template.

    Example: re2llm rater traces --reviews reviews.jsonl --model openai:gpt-4.1 --out traces.jsonl
    """
    run(
        lambda: _traces(
            out_file, reviews, split, model, limit, max_llm_calls, skip_malformed, seed, as_json
        )
    )


async def _traces(
    file: Path,
    source: str,
    rule: str,
    model: str | None,
    limit: int,
    max_llm_calls: int | None,
    skip_malformed: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    from ..nodes.budget import Budget
    from ..nodes.context import Context, call_with

    seed = get_settings().seed if seed is None else seed
    histories = read_reviews(source, skip_malformed=skip_malformed)
    reviews = divide(histories, rule, seed, prompt_limits({}))
    budget = Budget(max_calls=max_llm_calls)
    call = await call_with(Context(model=model, budget=budget))
    rows = await write_traces(reviews, reviews.split.train[:limit], file, call)
    outcomes = Counter(row["outcome"] for row in rows)
    if as_json:
        print_json({"file": str(file), "llm_calls": budget.calls, **outcomes})
        return
    listed = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    out.print(f"{file}: {listed}; {budget.calls:,} model calls.", markup=False)
