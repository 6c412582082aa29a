"""`/v1/items` and `/v1/domains`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from ...operations.catalogue.domains import list_domains
from ...operations.catalogue.items import search_items, show_item
from ...operations.catalogue.results import ItemsFound, ItemShown, ListedDomain, WithdrawnItems
from ...operations.catalogue.withdraw import withdraw_items
from .callers import context_of, require_right
from .documents import problems
from .requests import DomainQuery, SearchBody, WithdrawBody
from .strict_routes import json_response, strict_router

router = strict_router()


class ListedDomains(BaseModel):
    """The domains that the caller may use."""

    domains: list[ListedDomain]


@router.post(
    "/v1/items:search",
    operation_id="search_items",
    summary="Search a catalogue",
    response_model=ItemsFound,
    responses=problems(),
)
async def search_route(request: Request, body: SearchBody) -> Response:
    """Find items by title, despite typing errors; without any such title, by meaning."""
    found = await search_items(
        context_of(request), body.query, domain=body.domain, count=body.count
    )
    return json_response(found)


@router.post(
    "/v1/items:withdraw",
    operation_id="withdraw_items",
    summary="Withdraw items",
    response_model=WithdrawnItems,
    responses=problems(403),
)
async def withdraw_route(request: Request, body: WithdrawBody) -> Response:
    """Recommend items no more, until they are loaded again: all, or none.

    Histories may go on naming them. A key needs the right to `load`. While the domain is being
    loaded, try again later.
    """
    require_right(request, "load")
    context = context_of(request)
    done = await withdraw_items(context, body.items, domain=body.domain, wait=False)
    return json_response(done)


@router.get(
    "/v1/items/{item:path}",
    operation_id="show_item",
    summary="Show an item",
    response_model=ItemShown,
    responses=problems(body=False),
)
async def item_route(
    request: Request,
    item: Annotated[str, Path(max_length=2_000, description="Its id or title.")],
    domain: DomainQuery = None,
    count: Annotated[int, Query(ge=1, le=100, description="Related items of each kind.")] = 5,
) -> Response:
    """Show an item with its attributes and the items that go with it."""
    return json_response(await show_item(context_of(request), item, domain=domain, count=count))


@router.get(
    "/v1/items:show",
    operation_id="show_any_item",
    summary="Show an item of any id",
    response_model=ItemShown,
    responses=problems(body=False),
)
async def any_item_route(
    request: Request,
    item: Annotated[str, Query(min_length=1, max_length=2_000, description="Its id or title.")],
    domain: DomainQuery = None,
    count: Annotated[int, Query(ge=1, le=100, description="Related items of each kind.")] = 5,
) -> Response:
    """Show an item as `/v1/items/{item}` does, also one whose id no path can hold, such as `..`."""
    request.scope["path_params"]["item"] = item  # so that an unknown one is not found, as there
    return await item_route(request, item, domain, count)


@router.get(
    "/v1/domains",
    operation_id="list_domains",
    summary="List the domains",
    response_model=ListedDomains,
    responses=problems(body=False),
)
async def domains_route(request: Request) -> Response:
    """List the domains that the caller may use, with counts of what each holds."""
    return json_response(ListedDomains(domains=await list_domains(context_of(request))))
