"""Starting, stopping and ending the rollout of a release."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ...operations.releases.rollouts import (
    ServesAllError,
    promote_canary,
    start_canary,
    stop_canary,
)
from ...policies.rollout.plan import Plan, percentages
from ...runtime.request_limits import DomainName, RowKey
from ..api.callers import require_right
from .browsers import PREFIX
from .releases import SECTION
from .rendering import see
from .routing import form_of, page_router
from .sent_once import note_nothing_done
from .visits import visit

router = page_router()


class StartForm(BaseModel):
    """How to roll a release out."""

    domain: DomainName
    steps: Annotated[str, Field(max_length=200)] = "1,5,25,100"
    hold: Annotated[int, Field(ge=1, le=10**9)] = 500
    effect: Annotated[float, Field(ge=0.0001, le=1)] = 0.02


class EndForm(BaseModel):
    """Which release's rollout is ended."""

    domain: DomainName
    release: RowKey


@router.post(PREFIX + SECTION + "/{release}/canary")
async def start_route(request: Request, release: Annotated[RowKey, Path()]) -> Response:
    """Serve a release to a part of all people."""
    require_right(request, "learn")
    form = form_of(request, StartForm)
    seen = await visit(request, form.domain)
    plan = Plan(steps=percentages(form.steps), hold=form.hold, effect=form.effect)
    await start_canary(seen.context, release, plan=plan)
    return see(request, f"{SECTION}/{release}", {"domain": seen.domain}, done="canary")


@router.post(PREFIX + SECTION + ":stop-canary")
async def stop_route(request: Request) -> Response:
    """Serve the active release to everybody again."""
    require_right(request, "learn")
    form = form_of(request, EndForm)
    seen = await visit(request, form.domain)
    try:
        stopped = (await stop_canary(seen.context, release=form.release)).state == "stopped"
    except ServesAllError:  # which the page shows
        stopped = False
    if not stopped:
        note_nothing_done(request)
    done = "canary-stopped" if stopped else "canary-over"
    return see(request, f"{SECTION}/{form.release}", {"domain": seen.domain}, done=done)


@router.post(PREFIX + SECTION + ":promote-canary")
async def promote_route(request: Request) -> Response:
    """Activate the release that is being rolled out."""
    require_right(request, "learn")
    form = form_of(request, EndForm)
    seen = await visit(request, form.domain)
    await promote_canary(seen.context, release=form.release)
    return see(request, f"{SECTION}/{form.release}", {"domain": seen.domain}, done="activated")
