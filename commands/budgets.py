"""What a command may spend: options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..settings import get_settings

if TYPE_CHECKING:
    from ..runtime.budget import Budget

MaxCalls = Annotated[int | None, typer.Option("--max-llm-calls", min=1, help="Stop after so many.")]
MaxCost = Annotated[
    float | None, typer.Option(min=0, help="Stop when so much is spent, by RE2LLM_PRICES.")
]


def check_budget(budget: Budget, models: Sequence[str] = ()) -> None:
    """Make sure that a limit of cost can be kept.

    Args:
        budget: What the command may spend.
        models: That are going to be asked; none takes those of the settings.

    Raises:
        InputError: A model that is going to be asked has no price.
    """
    from ..llm.prices import require_prices

    settings = get_settings()
    if budget.max_cost is not None:
        models = models or [settings.model, settings.reflect_model or settings.model]
        require_prices(settings.prices, models)
