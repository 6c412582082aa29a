"""Turns what a person or a program calls an item into its id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.catalogue import fetch_items, nearest_items
from ..knowledge.domains import Domain
from ..knowledge.titles.search import settled
from ..records import Item, spoken
from ..runtime.domain_cache import title_search_of
from ..runtime.services import Services
from .results import FoundItem, FoundTitle

_NEAR = 3
_SHOWN = 120


class Finder:
    """Finds items of one domain by id, by title, and by meaning.

    Args:
        connection: An open connection.
        domain: The catalogue.
        services: For the titles and the text encoder.
    """

    def __init__(self, connection: AsyncConnection, domain: Domain, services: Services) -> None:
        self._connection = connection
        self._domain = domain
        self._services = services

    async def items(self, ids: Sequence[str]) -> dict[str, Item]:
        """Return items by their ids.

        Args:
            ids: Known ones.
        """
        return await fetch_items(self._connection, self._domain, ids)

    async def ids(self, typed: Sequence[str], field: str) -> list[str]:
        """Return the id of each item.

        Args:
            typed: Ids or titles.
            field: What an error is to name.

        Raises:
            InputError: One of them is unknown or ambiguous; the message lists what it may be.
        """
        known = await self.items(typed)
        return [word if word in known else await self._by_title(word, field) for word in typed]

    async def _by_title(self, typed: str, field: str) -> str:
        found = await self.find(typed)
        if found.status == "found":
            return found.items[0].id
        listed = "; ".join(f"{item.title} [{item.id}]" for item in found.items)
        if found.status == "ambiguous":
            raise InputError(field, f"{typed[:80]!r} could be: {listed}.", "Send one of those ids.")
        raise InputError(
            field,
            f"Domain {self._domain.name!r} has no item {typed[:80]!r}."
            + (f" Near in meaning: {listed}." if listed else ""),
            "Send an id of the catalogue or a title that stands in it.",
        )

    async def find(self, typed: str) -> FoundTitle:
        """Return what a title may mean.

        Args:
            typed: As a person wrote it.
        """
        titles = await title_search_of(self._services, self._connection, self._domain)
        matches = await asyncio.to_thread(titles.find, typed)
        sure = settled(matches)
        if sure is not None:
            return FoundTitle(typed=typed, status="found", items=[_shown(sure)])
        if matches:
            items = [_shown(match.item) for match in matches]
            return FoundTitle(typed=typed, status="ambiguous", items=items)
        near = await self._near(typed) if typed.strip() else []
        return FoundTitle(typed=typed, status="unknown", items=[_shown(item) for item in near])

    async def _near(self, text: str) -> list[Item]:
        encoded = await asyncio.to_thread(self._services.embedder.encode, [text])
        return await nearest_items(
            self._connection, self._domain, encoded[0], count=_NEAR, exclude=[]
        )


def _shown(item: Item) -> FoundItem:
    facts = [spoken(value) for _, value in sorted(item.attributes.items())]
    return FoundItem(id=item.id, title=item.title, about=". ".join(facts)[:_SHOWN])
