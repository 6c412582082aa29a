"""Addresses that are written with a slash at their end."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from .addresses import address, route_of
from .browsers import PREFIX
from .routing import page_router

router = page_router()
"""It matches any such address, so it comes after all pages: an item's id may end with a slash."""


@router.get(PREFIX + "/{path:path}/")
async def slash_route(request: Request) -> Response:
    """Lead to the page whose address is written with a slash at its end."""
    path = route_of(request.scope).removeprefix(PREFIX).rstrip("/")
    page = address(request.scope, quote(path))
    query = request.url.query
    return RedirectResponse(f"{page}?{query}" if query else page, 307)


router.get(PREFIX + "/")(slash_route)
