"""`/v1/autopilot`."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from ...operations.autopilot.manage import resume_autopilot, show_autopilot
from ...operations.autopilot.results import AutopilotShown
from .callers import context_of, require_right
from .documents import problems
from .jobs import jobs_module, require_start
from .requests import AutopilotBody, DomainBody, DomainQuery
from .strict_routes import json_response, strict_router

router = strict_router()
_AUTOPILOT = "/v1/autopilot"


@router.get(
    _AUTOPILOT,
    operation_id="show_autopilot",
    summary="Show the autopilot",
    response_model=AutopilotShown,
    responses=problems(body=False),
)
async def autopilot_route(request: Request, domain: DomainQuery = None) -> Response:
    """Show whether it is on, what it has decided and why, and what it has spent."""
    return json_response(await show_autopilot(context_of(request), domain=domain))


@router.post(
    _AUTOPILOT,
    operation_id="turn_autopilot_on",
    summary="Turn the autopilot on, or change its plan",
    response_model=AutopilotShown,
    responses=problems(403),
)
async def on_route(request: Request, body: AutopilotBody) -> Response:
    """Learn, train and roll out by itself. A key needs `learn`, and no daily limits."""
    require_start(request)
    switch = await jobs_module("autopilot.switch")
    asked = {"domain": body.domain, "cron": body.cron}
    return json_response(await switch.turn_on(context_of(request), body.plan(), **asked))


@router.post(
    f"{_AUTOPILOT}:off",
    operation_id="turn_autopilot_off",
    summary="Turn the autopilot off",
    response_model=AutopilotShown,
    responses=problems(403),
)
async def off_route(request: Request, body: DomainBody) -> Response:
    """Let its running step make no further call. A key needs the right to `learn`."""
    require_right(request, "learn")
    switch = await jobs_module("autopilot.switch")
    return json_response(await switch.turn_off(context_of(request), domain=body.domain))


@router.post(
    f"{_AUTOPILOT}:resume",
    operation_id="resume_autopilot",
    summary="Let a held autopilot go on",
    response_model=AutopilotShown,
    responses=problems(403),
)
async def resume_route(request: Request, body: DomainBody) -> Response:
    """Go on after a hold. A key needs the right to `learn`, and no daily limits."""
    require_start(request)
    return json_response(await resume_autopilot(context_of(request), domain=body.domain))


@router.post(
    f"{_AUTOPILOT}:run-once",
    operation_id="run_autopilot_once",
    summary="Begin the next step now",
    response_model=AutopilotShown,
    responses=problems(403),
)
async def run_once_route(request: Request, body: DomainBody) -> Response:
    """Look at what is new, and decide. A key needs the right to `learn`, and no daily limits."""
    require_start(request)
    switch = await jobs_module("autopilot.switch")
    return json_response(await switch.run_once(context_of(request), domain=body.domain))
