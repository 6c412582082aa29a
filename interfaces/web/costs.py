"""What model calls have cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from ...operations.accounts.budgets import key_budgets
from ...operations.accounts.cost_results import CostRow, CostSums
from ...operations.accounts.costs import costs_by_each
from ..api.jobs import JobState, jobs_module
from .browsers import PREFIX
from .routing import page_router
from .visits import DomainChoice, visit

SECTION = "/costs"
_MOST_DAYS = 31
"""Rows by day that leave the other sums in reach; a longer time is shown by month."""
_KEYS, _JOBS = 50, 20
"""How many keys, and jobs of each state, are shown with their budgets."""
_UNENDED: tuple[JobState, ...] = ("running", "paused", "stopped")
router = page_router()


@router.get(PREFIX + SECTION)
async def costs_page(
    request: Request,
    domain: DomainChoice = None,
    days: Annotated[Literal["7", "30", "90", "365"], Query()] = "30",
) -> Response:
    """Show what calls have cost by day or month, model, command and key; and budgets."""
    seen = await visit(request, domain)
    found = await costs_by_each(seen.context, days=int(days))
    by_day = found["day"].rows
    tables = {part: [(row.named(part), row) for row in one.rows] for part, one in found.items()}
    if int(days) > _MOST_DAYS:
        tables = {"month": _by_month(tables.pop("day")), **tables}
    budgets = await key_budgets(seen.context)
    control = await jobs_module("queue.control")
    jobs = [
        job.as_dict()
        for state in _UNENDED
        for job in await control.jobs(seen.context, domain=seen.domain, state=state, most=_JOBS)
    ]
    return seen.page(
        "costs.html",
        total=found["day"].total,
        days=days,
        tables=tables.items(),
        most=max([row.cost for _, row in next(iter(tables.values()))] + [1e-9]),
        budgets=budgets,
        keys=budgets.keys[:_KEYS],
        jobs=jobs,
        estimated=any(row.estimated for row in by_day),
    )


def _by_month(days: Sequence[tuple[str, CostRow]]) -> list[tuple[str, CostSums]]:
    """Add up rows of days, which are in order, to rows of months, such as `2026-11`."""
    months = groupby(days, key=lambda named: named[0][: len("2026-11")])
    return [(month, CostSums.of([row for _, row in rows])) for month, rows in months]
