"""What model calls have cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from ...operations.cost_results import CostRow, CostSums
from ...operations.costs import costs
from .browsers import PREFIX
from .routing import page_router
from .visits import DomainChoice, visit

SECTION = "/costs"
router = page_router()


@router.get(PREFIX + SECTION)
async def costs_page(
    request: Request,
    domain: DomainChoice = None,
    days: Annotated[Literal["7", "30", "90", "365"], Query()] = "30",
) -> Response:
    """Show what calls have cost by day, model and command."""
    seen = await visit(request, domain)
    found = await costs(seen.context, days=int(days))
    by_day = _summed(found.rows, lambda row: row.day)
    most = max([row.cost for row in by_day.values()] + [1e-9])
    return seen.page(
        "costs.html",
        total=found.total,
        days=days,
        by_day=by_day,
        most=most,
        by_model=_summed(found.rows, lambda row: row.model),
        by_command=_summed(found.rows, lambda row: row.command),
        estimated=any(row.estimated for row in found.rows),
    )


def _summed(rows: Sequence[CostRow], of: Callable[[CostRow], str]) -> dict[str, CostSums]:
    """Sum rows up by one of their columns, in the order in which its values come first."""
    grouped = defaultdict[str, list[CostRow]](list)
    for row in rows:
        grouped[of(row)].append(row)
    return {name: CostSums.of(group) for name, group in grouped.items()}
