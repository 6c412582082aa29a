"""The items of a catalogue."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ...operations.catalogue.items import browse_items, search_items, show_item
from ...operations.loading.imports import LARGEST_UPLOAD
from .browsers import PREFIX
from .imports import UPLOAD_KINDS
from .paging import PAGE_SIZE, PageNumber, Paging, skipped
from .routing import page_router
from .slashes import slash_route
from .visits import DomainChoice, visit

SECTION = "/catalogue"
_FOUND = 50
router = page_router()


@router.get(PREFIX + SECTION)
async def catalogue_page(
    request: Request,
    domain: DomainChoice = None,
    words: Annotated[str, Query(max_length=500)] = "",
    number: Annotated[PageNumber, Query(alias="page")] = 1,
) -> Response:
    """Browse a catalogue, or search it."""
    seen = await visit(request, domain)
    found = None
    if words.strip():
        found = await search_items(seen.context, words, count=_FOUND, every=True)
    rows, total = ([], 0)
    if found is None:
        rows, total = await browse_items(seen.context, skip=skipped(number), count=PAGE_SIZE)
    return seen.page(
        "catalogue.html",
        rows=rows,
        found=found,
        words=words,
        largest=LARGEST_UPLOAD,
        upload_kinds=UPLOAD_KINDS,
        query={"domain": seen.domain},
        paging=Paging(number, total),
    )


@router.get(PREFIX + SECTION + ":item")
async def any_item_page(
    request: Request,
    item: Annotated[str, Query(min_length=1, max_length=2_000)],
    domain: DomainChoice = None,
) -> Response:
    """Show an item whose id no path can hold, such as `..`."""
    return await item_page(request, item, domain)


router.get(PREFIX + SECTION + "/")(slash_route)  # an item's path may be empty


@router.get(PREFIX + SECTION + "/{item:path}")
async def item_page(
    request: Request,
    item: Annotated[str, Path(min_length=1, max_length=2_000)],
    domain: DomainChoice = None,
) -> Response:
    """Show an item with its evidence."""
    seen = await visit(request, domain)
    return seen.page("item.html", item=await show_item(seen.context, f"id:{item}", count=10))
