"""`/v1/releases`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ...operations.releases.manage import (
    activate_release,
    list_releases,
    rollback_release,
    show_release,
)
from ...operations.releases.results import ListedRelease, ListedReleases
from ...operations.releases.rollout_results import RolloutShown
from ...operations.releases.rollouts import promote_canary, show_canary, start_canary, stop_canary
from ...runtime.request_limits import RowKey
from .callers import context_of, require_right
from .documents import problems
from .requests import ActivateBody, CanaryBody, DomainQuery, EndCanaryBody, RollbackBody
from .strict_routes import json_response, strict_router

router = strict_router()
_CANARY = "/v1/releases:canary"


@router.get(
    "/v1/releases",
    operation_id="list_releases",
    summary="List releases",
    response_model=ListedReleases,
    responses=problems(body=False),
)
async def releases_route(request: Request, domain: DomainQuery = None) -> Response:
    """List a domain's releases of the learned hint policy, oldest first."""
    return json_response(await list_releases(context_of(request), domain=domain))


@router.get(
    "/v1/releases/{release}",
    operation_id="show_release",
    summary="Show a release",
    response_model=ListedRelease,
    responses=problems(body=False),
)
async def release_route(
    request: Request, release: Annotated[RowKey, Path()], domain: DomainQuery = None
) -> Response:
    """Show a release without its weights."""
    return json_response(await show_release(context_of(request), release, domain=domain))


@router.post(
    "/v1/releases:activate",
    operation_id="activate_release",
    summary="Activate a release",
    response_model=ListedRelease,
    responses=problems(403),
)
async def activate_route(request: Request, body: ActivateBody) -> Response:
    """Serve a release from now on. A key needs the right to `learn`."""
    require_right(request, "learn")
    activated = await activate_release(
        context_of(request), body.release, domain=body.domain, force=body.force
    )
    return json_response(activated)


@router.post(
    "/v1/releases:rollback",
    operation_id="rollback_release",
    summary="Roll back to the release before",
    response_model=ListedRelease,
    responses=problems(403),
)
async def rollback_route(request: Request, body: RollbackBody) -> Response:
    """Go back to the release that was active before. A key needs the right to `learn`."""
    require_right(request, "learn")
    context = context_of(request)
    return json_response(await rollback_release(context, domain=body.domain, active=body.active))


@router.get(
    _CANARY,
    operation_id="show_canary",
    summary="Show the rollout of a release",
    response_model=RolloutShown,
    responses=problems(body=False),
)
async def canary_route(
    request: Request,
    domain: DomainQuery = None,
    release: Annotated[RowKey | None, Query(description="Its latest one; none is of all.")] = None,
) -> Response:
    """Show how far the live or last rollout is, why, and what it rests on."""
    return json_response(await show_canary(context_of(request), domain=domain, release=release))


@router.post(
    _CANARY,
    operation_id="start_canary",
    summary="Roll a release out step by step",
    response_model=RolloutShown,
    responses=problems(403),
)
async def start_canary_route(request: Request, body: CanaryBody) -> Response:
    """Serve a release to a part of all people. A key needs the right to `learn`."""
    require_right(request, "learn")
    plan = body.rollout()
    shown = await start_canary(context_of(request), body.release, domain=body.domain, plan=plan)
    return json_response(shown)


@router.post(
    "/v1/releases:stop-canary",
    operation_id="stop_canary",
    summary="Stop the rollout",
    response_model=RolloutShown,
    responses=problems(403),
)
async def stop_canary_route(request: Request, body: EndCanaryBody) -> Response:
    """Serve the active release to everybody again. A key needs the right to `learn`."""
    require_right(request, "learn")
    context = context_of(request)
    return json_response(await stop_canary(context, domain=body.domain, release=body.release))


@router.post(
    "/v1/releases:promote-canary",
    operation_id="promote_canary",
    summary="Activate the release that is being rolled out",
    response_model=RolloutShown,
    responses=problems(403),
)
async def promote_canary_route(request: Request, body: EndCanaryBody) -> Response:
    """Activate it whatever its figures. A key needs the right to `learn`."""
    require_right(request, "learn")
    context = context_of(request)
    return json_response(await promote_canary(context, domain=body.domain, release=body.release))
