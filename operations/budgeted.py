"""Begins an operation that calls models within a budget of its own, and says what it has spent."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

from ..records import counted
from ..runtime.budget import Budget, limited
from ..runtime.context import Context
from ..runtime.options import RunOptions, resolve_context
from .database import with_domain


async def budgeted(  # the limits that an operation may have
    context: Context,
    command: str,
    *,
    max_llm_calls: int | None,
    max_cost: float | None,
    max_tokens: int | None = None,
    reflects: bool = False,
    learns: bool = False,
) -> tuple[Context, RunOptions, Budget]:
    """Return the context of a run on one domain, the same resolved, and its budget.

    Args:
        context: The context as the caller gave it; its budget's limits are not used.
        command: What the ledger books the calls under.
        reflects: Whether the reflecting model is called, too.
        learns: Whether it is pointless if no model is asked for a ranking.

    Raises:
        InputError: There is no such domain, or cost is limited and a model has no price.
    """
    budget = limited(
        context.budget, max_llm_calls=max_llm_calls, max_tokens=max_tokens, max_cost=max_cost
    )
    context = replace(await with_domain(context), budget=budget, command=command)
    options = await resolve_context(context)
    if learns:
        options.require_model()
    models = [options.model, *([options.reflect_model] if reflects else [])]
    budget.require_prices(options.settings.prices, models)
    return context, options, budget


class Spent(TypedDict):
    """What an operation has spent, as its result shows it."""

    llm_calls: int
    cost: float


def spent(budget: Budget) -> Spent:
    """Return what a budget has counted: calls, retries included, and cost by the price table."""
    return {"llm_calls": budget.llm_calls, "cost": round(budget.cost, 6)}


def spent_so_far(budget: Budget) -> str:
    """Return the same for a note of progress, such as `120 calls, cost 0.31`."""
    cost = f", cost {budget.cost:.2f}" if budget.cost else ""
    return f"{counted(budget.llm_calls, 'call')}{cost}"
