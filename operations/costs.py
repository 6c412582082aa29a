"""Sums up what model calls have cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ..knowledge.llm_calls import sum_calls
from ..llm.prices import Prices, call_cost
from ..runtime.options import Context, resolve_context
from .cost_results import CostRow, Costs, CostSums
from .database import connected


async def costs(context: Context, *, days: int | None = None, reprice: bool = False) -> Costs:
    """Sum up paid model calls by day (UTC), command and model, the latest day first.

    With an API key, only its own calls count. A call that had no price when it was made costs what
    the price table says today.

    Args:
        days: Only this many days, up to and including today; `None` for all.
        reprice: Whether every call costs what the price table says today. The ledger stays.

    Raises:
        DatabaseError: The database failed.
    """
    since = None
    if days is not None:
        today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - dt.timedelta(days=days - 1)
    options = await resolve_context(context)
    async with connected(options) as connection:
        key = None if options.caller is None else options.caller.key_id
        summed = await sum_calls(connection, since, key=key)
    prices = options.settings.prices
    rows = [CostRow.model_validate(_priced(row, prices, reprice=reprice)) for row in summed]
    return Costs(rows=rows, total=CostSums.of(rows))


def _priced(row: Mapping[str, Any], prices: Prices, *, reprice: bool) -> Mapping[str, Any]:
    kind = "tokens" if reprice else "unpriced"
    tokens = (row[f"{kind}_{way}"] for way in ("in", "out", "cached"))
    cost = call_cost(prices, row["model"], *tokens)
    if cost is None:
        return row
    return {**row, "cost": cost if reprice else row["cost"] + cost, "unpriced": 0}
