"""`/v1/hints`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...operations.hints.manage import add_hint, approve_hints, list_hints, retire_hints, show_hint
from ...operations.hints.results import AddedHint, HintGain, ListedHint, MeasuredGain
from ...operations.hints.tidy import tidy_hints
from ...operations.hints.tidy_results import TidiedHints
from ...runtime.request_limits import LARGEST_KEY, RowKey
from .callers import context_of, require_right
from .documents import problems
from .requests import MOST_HINTS, DomainQuery, HintBody, HintsBody, HintStatus, TidyBody
from .strict_routes import json_response, strict_router

router = strict_router()


class HintPage(BaseModel):
    """A part of a domain's hints."""

    domain: str
    model: str = Field(description="The model on which the gains were measured.")
    hints: list[ListedHint]
    next: int | None = Field(description="For `after`, to have the next page; null at the end.")


class HintStory(BaseModel):
    """Where a hint comes from."""

    id: int
    text: str
    status: str
    created_at: str
    provenance: dict[str, Any]
    proposals: list[dict[str, Any]]
    measured: HintGain = Field(description="With the run's model, on random training sessions.")
    measured_elsewhere: MeasuredGain | None = Field(
        description="Where that has no session: the last gain with another model or prompt."
    )
    trials: list[dict[str, Any]] = Field(
        description="All trials by model and prompt, also on sessions that it was chosen to help."
    )
    uses: int = Field(description="Logged recommendations that were made with it.")
    merged_into: int | None = Field(description="The hint that says the same, if it was merged.")
    merged: list[int] = Field(description="Hints that were merged into it.")
    decisions: list[dict[str, Any]] = Field(description="Of tidying, with figures, oldest first.")


class ChangedHints(BaseModel):
    """Hints whose status was set."""

    hints: list[int]
    status: HintStatus


@router.get(
    "/v1/hints",
    operation_id="list_hints",
    summary="List hints",
    response_model=HintPage,
    responses=problems(body=False),
)
async def hints_route(
    request: Request,
    domain: DomainQuery = None,
    status: Annotated[HintStatus | None, Query(description="Only those.")] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST_KEY, description="From the last page.")] = 0,
    count: Annotated[int, Query(ge=1, le=MOST_HINTS, description="How many at most.")] = 100,
) -> Response:
    """List a domain's hints with their measured gains, oldest first, in pages."""
    found = await list_hints(
        context_of(request), domain=domain, status=status, after=after, count=count + 1
    )
    shown = found.hints[:count]
    more = len(found.hints) > count
    return json_response(
        HintPage(
            domain=found.domain,
            model=found.model,
            hints=shown,
            next=shown[-1].id if more else None,
        )
    )


@router.get(
    "/v1/hints/{hint}",
    operation_id="show_hint",
    summary="Show where a hint comes from",
    response_model=HintStory,
    responses=problems(body=False),
)
async def hint_route(
    request: Request, hint: Annotated[RowKey, Path()], domain: DomainQuery = None
) -> Response:
    """Show a hint with its miss, diagnosis, proposals, trials and uses."""
    found = await show_hint(context_of(request), hint, domain=domain)
    return json_response(HintStory.model_validate(found))


@router.post(
    "/v1/hints",
    operation_id="add_hint",
    summary="Add a hint",
    response_model=AddedHint,
    responses=problems(403),
)
async def add_route(request: Request, body: HintBody) -> Response:
    """Store a person's hint. It may not name an item. A key needs the right to `learn`."""
    require_right(request, "learn")
    return json_response(await add_hint(context_of(request), body.text, domain=body.domain))


@router.post(
    "/v1/hints:approve",
    operation_id="approve_hints",
    summary="Approve hints",
    response_model=ChangedHints,
    responses=problems(403),
)
async def approve_route(request: Request, body: HintsBody) -> Response:
    """Activate pending or retired hints: all, or none. A key needs the right to `learn`."""
    require_right(request, "learn")
    reason = body.reason or "A program approved it."
    await approve_hints(context_of(request), body.hints, domain=body.domain, reason=reason)
    return json_response(ChangedHints(hints=body.hints, status="active"))


@router.post(
    "/v1/hints:retire",
    operation_id="retire_hints",
    summary="Retire hints",
    response_model=ChangedHints,
    responses=problems(403),
)
async def retire_route(request: Request, body: HintsBody) -> Response:
    """Retire hints: all, or none. Their trials are kept. A key needs the right to `learn`."""
    require_right(request, "learn")
    reason = body.reason or "A program retired it."
    await retire_hints(context_of(request), body.hints, domain=body.domain, reason=reason)
    return json_response(ChangedHints(hints=body.hints, status="retired"))


@router.post(
    "/v1/hints:tidy",
    operation_id="tidy_hints",
    summary="Tidy hints",
    response_model=TidiedHints,
    responses=problems(403),
)
async def tidy_route(request: Request, body: TidyBody) -> Response:
    """Merge hints that say the same, and retire what past trials show to harm or not to help.

    It makes no model call: submit a job of the kind `tidy` to try hints on further sessions. A key
    needs the right to `learn`.
    """
    require_right(request, "learn")
    context = context_of(request, domain=body.domain)
    return json_response(await tidy_hints(context, dry_run=body.dry_run, max_llm_calls=0))
