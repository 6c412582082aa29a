"""Finds the items that words stand for: as ids, as titles, despite typing errors, by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError, LimitReachedError, NotThereError
from ...knowledge.domains import Domain
from ...knowledge.texts import storable
from ...knowledge.titles.search import TitleSearch, settled
from ...knowledge.vector_search import nearest_items
from ...llm.errors.failures import ModelFailedError
from ...records import Item
from ...runtime.domain_cache import items_of, known_items, title_search_of, withdrawn_of
from ...runtime.options import RunOptions
from ...runtime.request_limits import MOST_SHOWN, MOST_TITLES
from ..results import FoundItem, FoundTitle
from .meanings import Exact, as_typed, found_title, id_beside, marked, meaning_of, shown
from .written import MARK, marked_ids, without_number

_NEAR = 3
_LONGEST = 80
_ENCODED = 32
"""Texts to encode in one go; other requests' texts come in between."""


class Finder:
    """Finds items of one domain by id, by title, and by meaning.

    Data in memory needs no connection, and none is held while titles are compared or encoded:
    connections are few, and all requests need them.
    """

    def __init__(self, domain: Domain, options: RunOptions) -> None:
        self.domain = domain
        self._options = options
        self._services = options.services
        self._compared = 0

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Return a connection to open for some statements, each its own transaction."""
        return self._services.autocommit.connect()

    async def items(self, ids: Sequence[str]) -> dict[str, Item]:
        """Return items by their ids; unknown ids are absent."""
        known = known_items(self._services, self.domain, ids)
        if len(known) == len(set(ids)):
            return {id_: item for id_, (item, _) in known.items()}
        items, _ = await items_of(self._services, self.domain, ids)
        return items

    async def resolve(
        self, typed: Sequence[str], field: str, *, likely: Collection[str] = ()
    ) -> list[Item]:
        """Return the item that each word stands for.

        Args:
            typed: Ids or titles. `id:300`, or `[300]` as results show it, is the id 300, whatever
                the other titles are. `The Matrix [2571]` is the item of that id.
            likely: Ids of items that are probably meant: a word that could be several items is
                taken for the one among these.

        Raises:
            InputError: A word is unknown or ambiguous; the message lists what it may be.
        """
        words = [*dict.fromkeys(typed)]
        titles = await self.titles()
        ids = titles.ids_among({*words, *chain.from_iterable(map(marked_ids, words))})
        exact = await self._exact(words)
        beside = {word: id_ for word in words if (id_ := id_beside(word, titles, exact))}
        # What is no id need not be sent to the database.
        known = await self.items([*ids, *beside.values()])
        # A list of nothing but ids names no titles, unless one is exactly such a number.
        listed = len(words) > 1 and not any(
            known.keys().isdisjoint((word, *marked_ids(word))) for word in words
        )
        begun = {} if listed else {word: titles.called(word) for word in words}
        meant = {word: meaning_of(word, known, exact, begun.get(word, ())) for word in words}
        meant |= {
            word: found_title(word, known[id_]) for word, id_ in beside.items() if id_ in known
        }
        loose = [word for word in words if meant[word] is None]
        async with self._turn(loose, field):
            for word in loose:
                found = await self._compare(word)
                if found.status == "unknown":  # which ends the request
                    found = (await self._with_near([found]))[0]
                self.only(found, field, likely)
                meant[word] = found
        only = {word: self.only(one, field, likely) for word, one in meant.items() if one}
        items = await self.items([*only.values()])
        return [items[only[word]] for word in typed]

    def only(self, meant: FoundTitle, field: str, likely: Collection[str] = ()) -> str:
        """Return the id of the one item that is meant; see `resolve`."""
        ids = [item.id for item in meant.items]
        if meant.status == "ambiguous":
            ids = [id_ for id_ in ids if id_ in likely]
        if meant.status != "unknown" and len(ids) == 1:
            return ids[0]
        if meant.status == "ambiguous":
            word, listed = meant.typed[:_LONGEST], _listed(meant)
            remedy = "Send one of those ids."
            if meant.typed == meant.items[0].id:
                remedy = f"Send `{MARK}{word}` for the item of that id, or another of those ids."
            raise InputError(field, f"{word!r} could be: {listed}.", remedy)
        raise self.unknown(meant, field, "Send an id or a title from the catalogue.")

    def unknown(self, meant: FoundTitle, field: str, remedy: str) -> NotThereError:
        """Return the error that a word names no item, with those that are near."""
        word, listed = meant.typed[:_LONGEST], _listed(meant)
        near = "Near in meaning" if meant.status == "unknown" else "Near"
        return NotThereError(
            field,
            f"Domain {self.domain.name!r} has no item {word!r}."
            + (f" {near}: {listed}." if listed else ""),
            remedy,
        )

    async def find(self, typed: Sequence[str]) -> dict[str, FoundTitle]:
        """Return what each title may mean.

        Raises:
            InputError: Too many of them are none of the catalogue's titles.
        """
        words = [*dict.fromkeys(typed)]
        titles, exact = await self.titles(), await self._exact(words)
        found = {word: one for word in words if (one := as_typed(word, exact)) is not None}
        beside = {word: id_ for word in words if (id_ := id_beside(word, titles, exact))}
        known = await self.items([*beside.values()])
        found |= {
            word: found_title(word, known[id_]) for word, id_ in beside.items() if id_ in known
        }
        loose = [word for word in words if word not in found]
        async with self._turn(loose, "titles"):
            compared = [await self._compare(word) for word in loose]
            found |= {one.typed: one for one in await self._with_near(compared)}
        withdrawn = await withdrawn_of(self._services, self.domain)
        return {word: marked(one, withdrawn) for word, one in found.items()}

    async def search(
        self, typed: str, count: int, *, every: bool = False
    ) -> tuple[list[FoundItem], bool]:
        """Return items whose titles are like a text, or else near it in meaning.

        Args:
            typed: The text.
            count: The highest number to return.
            every: Whether withdrawn items are found by title too, and marked. Else they are left
                out: the caller may offer what is found.

        Returns:
            The items, the likeliest first, and whether they were found by meaning.
        """
        titles = await self.titles()
        async with self._turn([typed], "query"):
            withdrawn = await withdrawn_of(self._services, self.domain)
            hidden = frozenset[str]() if every else withdrawn
            more = min(len(hidden), MOST_SHOWN)
            found = await asyncio.to_thread(titles.find, typed, count=count + more)
            if len(found) == count + more and all(one.item.id in hidden for one in found):
                found = await asyncio.to_thread(titles.find, typed, count=count + len(hidden))
            items = [match.item for match in found if match.item.id not in hidden][:count]
            if items or not typed.strip() or not storable(typed):
                return [shown(item, withdrawn) for item in items], False
            (near,) = await self._near([typed], count)
        return [shown(item) for item in near], True

    async def titles(self) -> TitleSearch:
        """Return what finds the domain's items by their titles."""
        return await title_search_of(self._services, self.domain)

    async def _exact(self, words: Sequence[str]) -> Exact:
        titles = await self.titles()
        return await asyncio.to_thread(lambda: {word: titles.exact(word) for word in words})

    @asynccontextmanager
    async def _turn(self, words: Sequence[str], field: str) -> AsyncGenerator[None]:
        """Hold a place for comparing words with every title, if there are words.

        Raises:
            InputError: There are too many words; nothing has been compared.
            LimitReachedError: Others hold the places for too long.
        """
        self._compared += len(words)
        if self._compared > MOST_TITLES:
            raise InputError(
                field,
                f"More than {MOST_TITLES} of them are not in the catalogue as they are typed.",
                "Send ids, or fewer titles at a time.",
            )
        if not words:
            yield
            return
        async with self.place(field):
            yield

    @asynccontextmanager
    async def place(self, field: str) -> AsyncGenerator[None]:
        """Hold one of the places for what goes through the whole catalogue.

        Args:
            field: The request's field, for the error.

        Raises:
            LimitReachedError: Others hold the places for too long.
        """
        within, owner = self._options.settings.deadline, self._options.owner
        try:
            async with self._services.comparing.place(within, owner):
                yield
        except ModelFailedError as error:
            raise LimitReachedError(
                field, "Too many titles are being looked up.", "Try again in a minute."
            ) from error

    async def _compare(self, typed: str) -> FoundTitle:
        """Return what a title may mean by its letters alone."""
        titles, bare = await self.titles(), without_number(typed)
        matches = await asyncio.to_thread(titles.find, typed)
        if bare != typed:
            matches = await asyncio.to_thread(titles.listed, typed, bare) or matches
        sure = settled(matches)
        if sure is not None:
            return found_title(typed, sure)
        items = [shown(match.item) for match in matches]
        return FoundTitle(typed=typed, status="ambiguous" if items else "unknown", items=items)

    async def _with_near(self, found: Sequence[FoundTitle]) -> list[FoundTitle]:
        """Give titles that are unknown the items that are near in meaning."""
        texts = [one.typed for one in found if one.status == "unknown"]
        texts = [text for text in texts if text.strip() and storable(text)]
        near = dict(zip(texts, await self._near(texts), strict=True))
        return [
            one.model_copy(update={"items": [shown(item) for item in near[one.typed]]})
            if one.typed in near
            else one
            for one in found
        ]

    async def _near(self, texts: Sequence[str], count: int = _NEAR) -> list[list[Item]]:
        found: list[list[Item]] = []
        for start in range(0, len(texts), _ENCODED):
            some = texts[start : start + _ENCODED]
            for embedding in await asyncio.to_thread(self._services.embedder.encode, some):
                async with self.connect() as connection:
                    near = await nearest_items(
                        connection, self.domain, embedding, count=count, exclude=[]
                    )
                found.append(near)
        return found


def _listed(meant: FoundTitle) -> str:
    return "; ".join(f"{item.title} [{item.id}]" for item in meant.items)
