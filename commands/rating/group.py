"""`re2llm rater`: trains and evaluates rating predictors (RecZero, RecOne)."""

from __future__ import annotations

from ..groups import CommandGroup
from .evaluate import evaluate
from .traces import traces
from .train import train

rater = CommandGroup(
    help="Train and evaluate models that predict ratings.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
rater.command()(train)
rater.command()(traces)
rater.command()(evaluate)
