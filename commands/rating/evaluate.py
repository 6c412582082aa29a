"""`re2llm rater evaluate`: a rater and baselines over the same ratings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError, Re2llmError
from ...rating.training.stages import RATER_FILE
from ...settings import get_settings
from ..budgets import MaxCalls, MaxCost, check_budget
from ..console import out, progress, run, write_json
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
    from ...evaluation.rating_summary import RatingRow
    from ...runtime.budget import Budget
    from .reviews import Reviews


def evaluate(
    reviews: ReviewsOption = SAMPLE,
    split: SplitOption = "last",
    checkpoint: Annotated[
        Path | None, typer.Option(help="A trained rater's folder, run here without a server.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A chat model, such as offline or openai:NAME.")
    ] = None,
    baselines: Annotated[
        str, typer.Option(help="Comma-separated: global-mean, user-mean, bias, mf …; '' for none.")
    ] = "global-mean,global-median,user-mean,item-mean,bias",
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many ratings.")] = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file; - prints them.")
    ] = None,
    skip_malformed: SkipOption = False,
    seed: Annotated[int | None, typer.Option(help="Default: RE2LLM_SEED.")] = None,
) -> None:
    """Measure MAE, RMSE and the share of invalid answers on ratings that training never sees.

    An invalid answer counts as the worst rating for its truth.

    Example: re2llm rater evaluate --reviews reviews.jsonl --split users --checkpoint rater/model
    """
    from ...runtime.budget import Budget

    names = [name.strip() for name in baselines.split(",") if name.strip()]
    budget = Budget(max_calls=max_llm_calls, max_cost=max_cost)
    run(
        lambda: _evaluate(
            (reviews, split, skip_malformed),
            (checkpoint, model),
            names,
            limit,
            json_file,
            seed,
            budget,
        )
    )


async def _evaluate(
    source: tuple[str, str, bool],
    raters: tuple[Path | None, str | None],
    names: Sequence[str],
    limit: int | None,
    json_file: Path | None,
    seed: int | None,
    budget: Budget,
) -> None:
    import asyncio

    from ...evaluation.rating_summary import RatingRow, summarise_ratings
    from ...rating.baselines import RATING_BASELINES, check_rating_baselines

    check_rating_baselines(names)
    checkpoint, model = raters
    if model is not None:
        check_budget(budget, [model])
    if checkpoint is None and model is None and not names:
        raise InputError("--model", "There is nothing to evaluate.", "Name a model or a baseline.")
    seed = get_settings().seed if seed is None else seed
    noted = _noted(checkpoint)
    limits = prompt_limits(noted.get("prompt", {}))
    reviews = divide(read_reviews(source[0], skip_malformed=source[2]), source[1], seed, limits)
    cases = reviews.split.test[:limit]
    rows: list[RatingRow] = []
    if checkpoint is not None:
        tokens = int(noted.get("config", {}).get("max_completion_tokens", 1024))
        rows.append(await asyncio.to_thread(_checkpoint_row, reviews, limit, checkpoint, tokens))
    if model is not None:
        rows.append(await _model_row(reviews, limit, model, budget))
    pairs = [(case.review.user, case.review.item.id) for case in cases]
    for name in names:
        predicted = RATING_BASELINES[name](reviews.split.known, pairs, reviews.scale, seed)
        rows.append(RatingRow(name, "baseline", predicted.tolist()))
    truths = [case.review.rating for case in cases]
    document = summarise_ratings(rows, truths, reviews.scale, seed=seed)
    if json_file is None or str(json_file) != "-":
        _print(document, f"{source[0]}, split by {source[1]}: {len(truths):,} ratings")
    if json_file is not None:
        write_json("--json", json_file, document)


def _noted(checkpoint: Path | None) -> dict[str, Any]:
    if checkpoint is None:
        return {}
    if not checkpoint.is_dir():
        raise InputError("--checkpoint", f"{checkpoint} is no folder.", "Name a model's folder.")
    note = checkpoint / RATER_FILE
    return json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}


def _checkpoint_row(
    reviews: Reviews, limit: int | None, checkpoint: Path, tokens: int
) -> RatingRow:
    from langchain_core.messages import convert_to_openai_messages

    from ...evaluation.rating_summary import RatingRow
    from ...llm.rating_answers import strict_rating
    from ...rating.training.generation import generate_answers, load_checkpoint

    prompts: Any = [
        convert_to_openai_messages(messages)
        for messages in reviews.prompts(reviews.split.test[:limit])
    ]
    model, tokenizer = load_checkpoint(checkpoint)
    with progress(counts=True) as bar:
        task = bar.add_task("rating", total=len(prompts))
        answers = generate_answers(
            model,
            tokenizer,
            prompts,
            max_tokens=tokens,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    return RatingRow(
        str(checkpoint), "model", [strict_rating(text, reviews.scale) for text in answers], 0
    )


async def _model_row(reviews: Reviews, limit: int | None, model: str, budget: Budget) -> RatingRow:
    from ...errors import Failure, ModelDownError
    from ...evaluation.rating_summary import RatingRow
    from ...llm.rating_answers import strict_rating
    from ...llm.structured import AnswerFormat
    from ...runtime.model_call import ask
    from ...runtime.options import Context, resolve_context
    from ...runtime.outages import OutageGuard

    options = await resolve_context(Context(model=model, budget=budget, command="rater evaluate"))
    prompts = reviews.prompts(reviews.split.test[:limit])
    valid = AnswerFormat(None, lambda text: strict_rating(text, reviews.scale) is not None)
    ratings: dict[int, float | None] = {}
    with progress(counts=True) as bar:
        task = bar.add_task(f"rating with {model}", total=len(prompts))

        async def rated(place: int) -> None:
            reply = await ask(prompts[place], options, "rate", answer_format=valid)
            # To decline is an invalid answer; silence is none.
            if reply.failed and reply.failure != Failure.REFUSED:
                raise ModelDownError(model, reply.failure)
            ratings[place] = strict_rating(reply.text, reviews.scale)
            bar.advance(task)

        outages = OutageGuard(options, options.settings.concurrency, reflects=False)
        stopped = await outages.work_through(range(len(prompts)), rated) or outages.last
    if stopped is not None:
        left = f"{len(prompts) - len(ratings):,} ratings are left; paid answers are kept."
        raise Re2llmError(stopped.field, f"{stopped.problem} {left}", stopped.remedy)
    return RatingRow(
        model, "model", [ratings[place] for place in range(len(prompts))], budget.calls
    )


def _print(document: dict[str, Any], title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for heading in ("", "kind"):
        table.add_column(heading)
    for heading in ("MAE", "95 % interval", "RMSE", "95 % interval", "invalid", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(document["rows"], key=lambda row: row["mae"]):
        intervals = [
            ", ".join(f"{end:.3f}" for end in row["ci95"][name]) for name in ("mae", "rmse")
        ]
        table.add_row(
            row["name"],
            row["kind"],
            f"{row['mae']:.3f}",
            intervals[0],
            f"{row['rmse']:.3f}",
            intervals[1],
            f"{row['invalid']:.1%}",
            str(row["llm_calls"]),
        )
    out.print(table)
