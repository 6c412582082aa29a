"""Sums up what model calls have cost."""

from __future__ import annotations

import datetime as dt

from ..knowledge.llm_calls import sum_calls
from ..runtime.options import Context, resolve_context
from .database import connected
from .results import CostRow, Costs, CostSums


async def costs(context: Context, *, days: int | None = None) -> Costs:
    """Sum up paid model calls by day (UTC), command and model, the latest day first.

    Args:
        days: Only this many days, up to and including today; `None` for all.

    Raises:
        DatabaseError: The database failed.
    """
    since = None
    if days is not None:
        today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - dt.timedelta(days=days - 1)
    options = await resolve_context(context)
    async with connected(options) as connection:
        summed = await sum_calls(connection, since)
    rows = [CostRow.model_validate(row) for row in summed]
    total = {name: sum(getattr(row, name) for row in rows) for name in CostSums.model_fields}
    return Costs(rows=rows, total=CostSums.model_validate(total))
