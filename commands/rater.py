"""`re2llm rater`: trains and evaluates rating predictors (RecZero, RecOne)."""

from __future__ import annotations

import typer

from .rater_evaluate import evaluate
from .rater_traces import traces
from .rater_train import train

rater = typer.Typer(
    help="Train and evaluate predictors of ratings that think before they rate.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
rater.command()(train)
rater.command()(traces)
rater.command()(evaluate)
