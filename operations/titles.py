"""Turns what a person or a program calls an item into the item. Every interface uses this."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.domains import Domain
from ..knowledge.engine import unreachable
from ..knowledge.meaning import nearest_items
from ..knowledge.texts import storable
from ..knowledge.titles.search import TitleSearch, settled
from ..records import Item, spoken
from ..runtime.domain_cache import domain_of, items_of, known_items, title_search_of
from ..runtime.options import Context, RunOptions, resolve_context
from ..runtime.services import Services
from .results import FoundItem, FoundTitle, FoundTitles

_NEAR = 3
_SHOWN = 160
_LONGEST = 80
_MOST_COMPARED = 200
"""Words that one request may have compared with every title of a catalogue."""
_ID = "id:"
"""Marks a word as an id, for ids that are also titles of other items."""


async def find_titles(
    context: Context,
    titles: Sequence[str],
    *,
    domain: str | None = None,
) -> FoundTitles:
    """Find the items that some titles stand for, despite typing errors and in any case.

    Args:
        titles: As a person wrote them; a year after a title tells items of the same title apart.
        domain: The catalogue; `None` takes the context's.

    Raises:
        Re2llmError: There is no such catalogue.
    """
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        found = {title: await finder.find(title) for title in dict.fromkeys(titles)}
        return FoundTitles(titles=[found[title] for title in titles])


@asynccontextmanager
async def in_catalogue(options: RunOptions, domain: Domain | str | None) -> AsyncGenerator[Finder]:
    """Yield a finder of a domain's items.

    Raises:
        InputError: There is no such domain.
        DatabaseError: The database failed.
    """
    services = options.services
    try:
        if not isinstance(domain, Domain):
            domain = await domain_of(services, domain or options.domain, among=options.domains)
        async with AsyncExitStack() as stack:
            yield Finder(domain, services, stack)
    except (OSError, SQLAlchemyError) as error:
        raise unreachable(services.engine, error) from error


class Finder:
    """Finds items of one domain by id, by title, and by meaning.

    What is in memory needs no connection.
    """

    def __init__(self, domain: Domain, services: Services, stack: AsyncExitStack) -> None:
        self.domain = domain
        self._services = services
        self._stack = stack
        self._connection: AsyncConnection | None = None
        self._compared = 0

    async def connection(self) -> AsyncConnection:
        """Return a connection, the same each time; each statement is its own transaction."""
        if self._connection is None:
            connecting = self._services.autocommit.connect()
            self._connection = await self._stack.enter_async_context(connecting)
        return self._connection

    async def items(self, ids: Sequence[str]) -> dict[str, Item]:
        """Return items by their ids; unknown ids are absent."""
        known = known_items(self._services, self.domain, ids)
        if len(known) == len(set(ids)):
            return {id_: item for id_, (item, _) in known.items()}
        items, _ = await items_of(self._services, await self.connection(), self.domain, ids)
        return items

    async def resolve(
        self, typed: Sequence[str], field: str, *, likely: Collection[str] = ()
    ) -> list[Item]:
        """Return the item that each word stands for.

        Args:
            typed: Ids or titles. `id:300` is the id 300, whatever the titles are.
            likely: Ids of items that are probably meant: a word that could be several items is
                taken for the one among these.

        Raises:
            InputError: A word is unknown or ambiguous; the message lists what it may be.
        """
        ids = [*typed, *(word.removeprefix(_ID) for word in typed)]
        known = await self.items(ids)
        titles = await self._titles()
        meant = {
            word: self._only(await self._meant(word, known, titles), field, likely)
            for word in dict.fromkeys(typed)
        }
        items = await self.items([*meant.values()])
        return [items[meant[word]] for word in typed]

    async def _meant(self, word: str, known: Mapping[str, Item], titles: TitleSearch) -> FoundTitle:
        """Return what a word may mean: an item's id, another's title, or both."""
        id_ = word if word in known else word.removeprefix(_ID)
        if id_ not in known:
            return await self.find(word)
        namesakes = [item for item in titles.exact(word) if item.id != id_] if id_ == word else []
        items = [shown(item) for item in (known[id_], *namesakes)]
        return FoundTitle(typed=word, status="ambiguous" if namesakes else "found", items=items)

    def _only(self, meant: FoundTitle, field: str, likely: Collection[str]) -> str:
        """Return the id of the one item that is meant."""
        ids = [item.id for item in meant.items]
        if meant.status == "ambiguous":
            ids = [id_ for id_ in ids if id_ in likely]
        if meant.status != "unknown" and len(ids) == 1:
            return ids[0]
        word = meant.typed[:_LONGEST]
        listed = "; ".join(f"{item.title} [{item.id}]" for item in meant.items)
        if meant.status == "ambiguous":
            remedy = "Send one of those ids."
            if meant.typed == meant.items[0].id:
                remedy = f"Send `{_ID}{word}` for the item of that id, or another of those ids."
            raise InputError(field, f"{word!r} could be: {listed}.", remedy)
        raise InputError(
            field,
            f"Domain {self.domain.name!r} has no item {word!r}."
            + (f" Near in meaning: {listed}." if listed else ""),
            "Send an id or a title from the catalogue.",
        )

    async def find(self, typed: str) -> FoundTitle:
        """Return what a title may mean."""
        titles = await self._titles()
        exact = titles.exact(typed)
        if len(exact) == 1:  # spares the comparison with every title
            return FoundTitle(typed=typed, status="found", items=[shown(exact[0])])
        self._compared += 1
        if self._compared > _MOST_COMPARED:
            raise InputError(
                "titles",
                f"More than {_MOST_COMPARED} of them are not in the catalogue as they are typed.",
                "Send ids, or fewer titles at a time.",
            )
        matches = await asyncio.to_thread(titles.find, typed)
        sure = settled(matches)
        if sure is not None:
            return FoundTitle(typed=typed, status="found", items=[shown(sure)])
        if matches:
            items = [shown(match.item) for match in matches]
            return FoundTitle(typed=typed, status="ambiguous", items=items)
        near = await self._near(typed) if typed.strip() and storable(typed) else []
        return FoundTitle(typed=typed, status="unknown", items=[shown(item) for item in near])

    async def search(self, typed: str, count: int) -> tuple[list[FoundItem], bool]:
        """Return items whose titles are like a text, or else near it in meaning.

        Returns:
            The items, the likeliest first, and whether they were found by meaning.
        """
        titles = await self._titles()
        matches = await asyncio.to_thread(titles.find, typed, count=count)
        items = [match.item for match in matches]
        if items or not typed.strip() or not storable(typed):
            return [shown(item) for item in items], False
        return [shown(item) for item in await self._near(typed, count)], True

    async def _titles(self) -> TitleSearch:
        return await title_search_of(self._services, self.connection, self.domain)

    async def _near(self, text: str, count: int = _NEAR) -> list[Item]:
        encoded = await asyncio.to_thread(self._services.embedder.encode, [text])
        return await nearest_items(
            await self.connection(), self.domain, encoded[0], count=count, exclude=[]
        )


def shown(item: Item) -> FoundItem:
    """Return an item as answers show it."""
    facts = [f"{name}: {spoken(value)}" for name, value in sorted(item.attributes.items())]
    about = "; ".join(facts)
    cut = about if len(about) <= _SHOWN else f"{about[: _SHOWN - 1]}…"
    return FoundItem(id=item.id, title=item.title, about=cut)
