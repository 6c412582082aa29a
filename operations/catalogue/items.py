"""Searches a catalogue, and shows what is known of an item."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence

from ...knowledge.catalogue import item_ids, item_place, page_of_items
from ...knowledge.sessions.evidence import EvidenceIndex
from ...knowledge.vector_search import nearest_items
from ...knowledge.withdrawn import withdrawn_ids
from ...runtime.context import Context
from ...runtime.domain_cache import evidence_of, withdrawn_of
from ...runtime.options import resolve_context
from ..results import FoundItem
from .finder import Finder
from .meanings import shown
from .results import BrowsedItem, ItemsFound, ItemShown, RelatedItem
from .titles import in_catalogue

_SHOWN_EVIDENCE = ("with_recent", "near_recent")
"""The kinds of `EVIDENCE` that show which items go together."""


async def search_items(
    context: Context,
    query: str,
    *,
    domain: str | None = None,
    count: int = 10,
    every: bool = False,
) -> ItemsFound:
    """Find items by title, despite typing errors; without any, by meaning.

    Args:
        query: A title or a part of one, or a description.
        domain: Its name; `None` takes the context's.
        count: The highest number to return.
        every: Whether withdrawn items are found by title too, for the catalogue's editors.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        items, by_meaning = await finder.search(query, count, every=every)
        return ItemsFound(domain=finder.domain.name, items=items, by_meaning=by_meaning)


async def items_of_ids(
    context: Context, ids: Sequence[str], *, domain: str | None = None
) -> list[FoundItem]:
    """Return items by their ids, in that order; unknown ids are left out.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        items = await finder.items(ids)
        withdrawn = await withdrawn_of(options.services, finder.domain)
    return [shown(items[id_], withdrawn) for id_ in ids if id_ in items]


async def browse_items(
    context: Context, *, domain: str | None = None, skip: int = 0, count: int = 50
) -> tuple[list[BrowsedItem], int]:
    """Return some of a catalogue's items, those that most sessions hold first.

    Args:
        domain: Its name; `None` takes the context's.
        skip: How many to leave out, from the first.
        count: The highest number to return.

    Returns:
        The items, and how many the catalogue has.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder, finder.connect() as connection:
        rows, total = await page_of_items(connection, finder.domain, skip=skip, count=count)
    found = [
        BrowsedItem(
            item=shown(item, (item.id,) if withdrawn else ()), popularity=held, withdrawn=withdrawn
        )
        for item, held, withdrawn in rows
    ]
    return found, total


async def show_item(
    context: Context, item: str, *, domain: str | None = None, count: int = 5
) -> ItemShown:
    """Show an item with its attributes, its popularity, and the items that go with it.

    Args:
        item: Its id or title.
        domain: Its name; `None` takes the context's.
        count: How many related items of each kind.

    Raises:
        Re2llmError: There is no such domain or item, or several items of that title.
    """
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        found = finder.domain
        (one,) = await finder.resolve([item], "item")
        async with finder.connect() as connection:
            popularity, embedding, withdrawn = await item_place(connection, found, one.id)
            near = await nearest_items(connection, found, embedding, count=count, exclude=[one.id])
        index = await evidence_of(options.services, found)
        # It is compared with the whole catalogue: one owner holds no more places than for titles.
        async with finder.place("item"):
            related = [] if index is None else await _related(finder, index, one.id, count)
    return ItemShown(
        domain=found.name,
        id=one.id,
        title=one.title,
        attributes=dict(one.attributes),
        popularity=popularity,
        withdrawn=withdrawn,
        goes_with=related,
        neighbours=[RelatedItem(id=other.id, title=other.title) for other in near],
    )


async def _related(
    finder: Finder, index: EvidenceIndex, item: str, count: int
) -> list[RelatedItem]:
    async with finder.connect() as connection:
        known = await item_ids(connection, finder.domain)
        withdrawn = await withdrawn_ids(connection, finder.domain)
    ids = [other for other in known if other not in withdrawn]
    best = await asyncio.to_thread(_strongest, index, item, ids, count)
    items = await finder.items([other for other, _ in best])
    return [
        RelatedItem(id=other, title=items[other].title, evidence=values)
        for other, values in best
        if any(values.values())
    ]


def _strongest(
    index: EvidenceIndex, item: str, ids: Sequence[str], count: int
) -> list[tuple[str, dict[str, float]]]:
    """Return the items with the most evidence beside one; may take long: use a thread."""
    others = [other for other in ids if other != item]
    kept = (
        (other, {name: values[name] for name in _SHOWN_EVIDENCE})
        for other, values in zip(others, index.of([item], others), strict=True)
    )
    return heapq.nsmallest(count, kept, key=_strength)


def _strength(found: tuple[str, Mapping[str, float]]) -> tuple[float, str]:
    other, values = found
    return -sum(values.values()), other
