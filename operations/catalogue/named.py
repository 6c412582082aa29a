"""Finds items that words name beyond doubt: by id, or by exactly their title."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain

from ...errors import NotThereError
from ...records import Item
from ..results import FoundTitle
from .finder import Finder
from .meanings import found_title, id_beside, meaning_of, shown
from .written import marked_ids


async def named_items(finder: Finder, typed: Sequence[str], field: str) -> list[Item]:
    """Return the items that words name, for what must not happen to another item.

    `Finder.resolve` also takes a part of a title, or one with typing errors.

    Args:
        typed: Ids, as `id:300` and `[300]` too, or titles, with an id beside them or without.

    Raises:
        InputError: A word is no id and no title; the message says what is near. Or several items
            have the title.
    """
    words = [*dict.fromkeys(typed)]
    titles = await finder.titles()
    titled = await asyncio.to_thread(titles.titled, words)
    ids = titles.ids_among({*words, *chain.from_iterable(map(marked_ids, words))})
    beside = {word: id_ for word in words if (id_ := id_beside(word, titles, titled))}
    known = await finder.items([*ids, *beside.values()])
    meant = dict[str, str]()
    for word in words:
        found = meaning_of(word, known, titled, ())
        if found is None and titled[word]:
            several = [shown(item) for item in titled[word]]
            found = FoundTitle(typed=word, status="ambiguous", items=several)
        if found is None and (id_ := beside.get(word)) in known:
            found = found_title(word, known[id_])
        if found is None:
            raise await _unknown(finder, word, field)
        meant[word] = finder.only(found, field)
    items = await finder.items([*meant.values()])
    return [items[meant[word]] for word in typed]


async def _unknown(finder: Finder, word: str, field: str) -> NotThereError:
    found = await finder.find([word])
    return finder.unknown(found[word], field, "Send ids, or titles as the catalogue has them.")
