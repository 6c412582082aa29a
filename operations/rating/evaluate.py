"""Evaluates raters and baselines on the same ratings."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...evaluation.rating_summary import RatingRow, summarise_ratings
from ...llm.ratings.prompt import PromptLimits, written
from ...rating.baselines import RATING_BASELINES, check_rating_baselines
from ...rating.corpus import RatingCorpus, ReviewSource
from ...rating.groups import case_groups
from ...rating.model_ratings import model_ratings
from ...rating.samples import check_samples, mean_of_samples
from ...rating.splits import RatingCase
from ...rating.training.checkpoint import checkpoint_ratings
from ...rating.training.description import checkpoint_description
from ...rating.training.trained import TrainedOn, read_trained
from ...records import RatingScale, counted
from ...runtime.budget import Budget
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.progress import Progress, silent
from ...settings import get_settings


async def evaluate_raters(
    context: Context,
    source: ReviewSource,
    *,
    model: str | None = None,
    checkpoint: Path | None = None,
    baselines: Sequence[str] = (),
    limit: int | None = None,
    samples: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compute MAE, RMSE and the share of invalid answers on ratings that training never sees.

    An invalid answer counts as the rating on the scale that is furthest from the truth.

    Args:
        model: A chat model, such as `openai:NAME`.
        checkpoint: The folder of a trained rater, run here without a server. Its prompt limits
            apply to all rows, and so does its scale where none is known of the reviews.
        baselines: Names among `RATING_BASELINES`.
        limit: Evaluate only this many ratings.
        samples: A checkpoint has a second row, the mean of so many samples, if there are two or
            more. A chat model is asked as often where the setting `temperature` is above 0. `None`
            takes the setting `rate_samples`.
        progress: Called as ratings come in, with a stage for each model.

    Returns:
        What `summarise_ratings` returns, and under `left_out` how many ratings a checkpoint could
        be trained on, which count in no row.

    Raises:
        InputError: There is nothing to evaluate, nothing to sample, or something cannot be used.
        Re2llmError: The model is down or the budget is spent; see `model_ratings`.
    """
    check_rating_baselines(baselines)
    if checkpoint is None and model is None and not baselines:
        raise InputError("model", "There is nothing to evaluate.", "Name a model or a baseline.")
    settings = get_settings()
    asked_for = settings.rate_samples if samples is None else samples
    if model is not None and checkpoint is None:
        field = "RE2LLM_RATE_SAMPLES" if samples is None else "samples"
        check_samples(asked_for, settings.temperature, field)
    count = asked_for if asked_for > 1 else 0
    description = {} if checkpoint is None else checkpoint_description(checkpoint)
    corpus = await asyncio.to_thread(_corpus, source, description)
    trained = read_trained(description)
    held_out = _held_out(corpus, trained)
    if left_out := len(corpus.split.test) - len(held_out):
        which = counted(left_out, "rating is", "ratings are")
        source.warn(
            f"{which} left out, as the ids of user and item are those of a rating that the "
            "checkpoint could be trained on."
        )
    cases = held_out[:limit]
    rows: list[RatingRow] = []
    if checkpoint is not None:
        rows += await _rows_of_checkpoint(corpus, cases, checkpoint, count, progress)
    if model is not None:
        rows.append(await _row_of_model(corpus, cases, model, count, context, progress))
    pairs = [case.key for case in cases]
    for name in baselines:
        predicted = RATING_BASELINES[name](corpus.split.known, pairs, corpus.scale, source.seed)
        rows.append(RatingRow(name, "baseline", predicted.tolist()))
    truths = [case.review.rating for case in cases]
    groups = case_groups(corpus.split, cases, None if trained is None else _users(corpus, trained))
    figures = summarise_ratings(rows, truths, corpus.scale, seed=source.seed, groups=groups)
    return {**figures, "left_out": left_out}


def _corpus(source: ReviewSource, trained: Mapping[str, Any]) -> RatingCorpus:
    """Read the reviews as a checkpoint was trained to see them, if there is one."""
    prompt = trained.get("prompt")
    limits = source.limits() if prompt is None else PromptLimits(**prompt)
    corpus = _on_scale_of(source, trained).corpus(limits)
    _require_same_split(corpus, trained)
    return corpus


def _on_scale_of(source: ReviewSource, trained: Mapping[str, Any]) -> ReviewSource:
    """Take a checkpoint's scale rather than guess one; remark on another that is known."""
    if "scale" not in trained:
        return source
    scale = RatingScale(*trained["scale"])
    known = source.known_scale()
    if known is None:
        return replace(source, scale=scale)
    if known != scale:
        source.warn(
            f"The checkpoint was trained to rate from {written(scale.low)} to "
            f"{written(scale.high)}, not from {written(known.low)} to {written(known.high)}."
        )
    return source


def _require_same_split(corpus: RatingCorpus, trained: Mapping[str, Any]) -> None:
    """Refuse to evaluate a checkpoint on ratings of the same reviews that it was trained on."""
    if trained.get("reviews") != corpus.digest:
        return  # other reviews, or an old checkpoint that does not say
    rule, seed = trained["split"], trained["split_seed"]
    if rule != corpus.rule or (rule != "last" and seed != corpus.seed):
        raise InputError(
            "split",
            f"The checkpoint was trained on some of these ratings: its split was {rule!r} with "
            f"the seed {seed}.",
            "Evaluate with that split and seed.",
        )


def _users(corpus: RatingCorpus, trained: TrainedOn) -> Container[str]:
    """Return the users of whose ratings some were trained on."""
    every = [*corpus.split.known, *(case.review for case in corpus.split.test)]
    return {one.user for one in every if trained.knows(one)}


def _held_out(corpus: RatingCorpus, trained: TrainedOn | None) -> Sequence[RatingCase]:
    """Return the ratings to predict that a checkpoint was not trained on, whatever the split."""
    if trained is None:
        return corpus.split.test
    kept = [case for case in corpus.split.test if not trained.knows(case.review)]
    if not kept:
        raise InputError(
            "split",
            "By the ids of user and item, the checkpoint could be trained on all of these ratings.",
            "Evaluate with the reviews, split and seed of its training; give other users other "
            "ids.",
        )
    return kept


async def _rows_of_checkpoint(
    corpus: RatingCorpus,
    cases: Sequence[RatingCase],
    checkpoint: Path,
    samples: int,
    progress: Progress,
) -> list[RatingRow]:
    name = str(checkpoint)
    rated = await asyncio.to_thread(
        checkpoint_ratings, corpus, cases, checkpoint, progress, samples=samples
    )
    greedy = RatingRow(name, "model", rated.greedy)
    return [greedy, _mean_row(name, rated.sampled)] if samples else [greedy]


async def _row_of_model(
    corpus: RatingCorpus,
    cases: Sequence[RatingCase],
    model: str,
    samples: int,
    context: Context,
    progress: Progress,
) -> RatingRow:
    budget = context.budget or Budget()
    options = await resolve_context(replace(context, model=model, budget=budget))
    budget.require_prices(options.settings.prices, [options.model])
    drawn = samples if options.settings.temperature else 0
    asked = await model_ratings(corpus, cases, options, progress, samples=drawn or 1)
    if drawn:
        return _mean_row(model, asked, budget.llm_calls)
    return RatingRow(model, "model", [each[0] for each in asked], budget.llm_calls)


def _mean_row(name: str, sampled: Sequence[Sequence[float | None]], calls: int = 0) -> RatingRow:
    drawn = [rating for ratings in sampled for rating in ratings]
    return RatingRow(
        f"{name}, mean of {len(sampled[0])}",
        "model",
        [mean_of_samples(ratings) for ratings in sampled],
        calls,
        round(drawn.count(None) / len(drawn), 4),
    )
