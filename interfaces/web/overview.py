"""The first page: what a catalogue holds."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from ...operations.catalogue.domains import show_domain
from .addresses import address, route_of
from .browsers import PREFIX
from .routing import page_router
from .visits import DomainChoice, visit

router = page_router()


@router.get(PREFIX)
async def overview_page(request: Request, domain: DomainChoice = None) -> Response:
    """Show what a catalogue holds."""
    seen = await visit(request, domain)
    return seen.page("overview.html", held=await show_domain(seen.context, seen.domain))


@router.get(PREFIX + "/")
@router.get(PREFIX + "/{path:path}/")
async def slash_route(request: Request) -> Response:
    """Lead to the page whose address is written with a slash at its end."""
    path = route_of(request.scope).removeprefix(PREFIX).rstrip("/")
    page = address(request.scope, quote(path))
    query = request.url.query
    return RedirectResponse(f"{page}?{query}" if query else page, 307)
