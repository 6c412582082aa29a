"""What model calls have cost."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from ...operations.accounts.budgets import key_budgets
from ...operations.accounts.costs import costs_by_each
from ..api.jobs import JobState, jobs_module
from .browsers import PREFIX
from .routing import page_router
from .visits import DomainChoice, visit

SECTION = "/costs"
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
    """Show what calls have cost by day, model, command and key; and budgets."""
    seen = await visit(request, domain)
    found = await costs_by_each(seen.context, days=int(days))
    by_day = found["day"].rows
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
        tables=[
            (part, [(row.named(part), row) for row in one.rows]) for part, one in found.items()
        ],
        most=max([row.cost for row in by_day] + [1e-9]),
        budgets=budgets,
        keys=budgets.keys[:_KEYS],
        jobs=jobs,
        estimated=any(row.estimated for row in by_day),
    )
