"""The first page: what a catalogue holds."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from ...operations.catalogue.domains import show_domain
from .browsers import PREFIX
from .routing import page_router
from .visits import DomainChoice, visit

router = page_router()


@router.get(PREFIX)
async def overview_page(request: Request, domain: DomainChoice = None) -> Response:
    """Show what a catalogue holds."""
    seen = await visit(request, domain)
    return seen.page("overview.html", held=await show_domain(seen.context, seen.domain))
