"""`/v1/releases`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request
from starlette.responses import Response

from ...operations.releases import activate_release, list_releases, rollback_release, show_release
from ...operations.results import ListedRelease, ListedReleases
from ...runtime.request_limits import RowKey
from .callers import context_of, require_right
from .documents import problems
from .requests import ActivateBody, DomainQuery, RollbackBody
from .strict_routes import json_response, strict_router

router = strict_router()


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
    return json_response(await rollback_release(context_of(request), domain=body.domain))
