"""What a command may spend: options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..nodes.context import Call

MaxCalls = Annotated[int | None, typer.Option("--max-llm-calls", min=1, help="Stop after so many.")]
MaxCost = Annotated[
    float | None, typer.Option(min=0, help="Stop when so much is spent, by RE2LLM_PRICES.")
]


def check_budget(call: Call) -> None:
    """Make sure that a limit of cost can be kept.

    Args:
        call: The command's options.

    Raises:
        InputError: A model that is going to be asked has no price.
    """
    from ..llm.prices import require_prices

    if call.budget is not None and call.budget.max_cost is not None:
        require_prices(call.settings.prices, [call.model, call.reflect_model])
