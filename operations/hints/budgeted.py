"""Begins an operation on hints that calls models within a budget of its own."""

from __future__ import annotations

from dataclasses import replace

from ...runtime.budget import Budget, limited
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..database import with_domain


async def budgeted(
    context: Context,
    command: str,
    *,
    max_llm_calls: int | None,
    max_cost: float | None,
    reflects: bool = False,
) -> tuple[RunOptions, Budget]:
    """Return the options of a run on one domain, and its budget.

    Args:
        context: As the caller gave it; its budget's limits are not used.
        command: What the ledger books the calls under.
        reflects: Whether the reflecting model is called, too.

    Raises:
        InputError: There is no such domain, or cost is limited and a model has no price.
    """
    budget = limited(context.budget, max_calls=max_llm_calls, max_cost=max_cost)
    context = replace(await with_domain(context), budget=budget, command=command)
    options = await resolve_context(context)
    models = [options.model, *([options.reflect_model] if reflects else [])]
    budget.require_prices(options.settings.prices, models)
    return options, budget
