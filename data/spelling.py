"""Ids of the same number in another spelling: tables write 7.0 for 7, spreadsheets 7 for 007."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from typing import cast

from ..records import Item
from .cells import plain_number


class Spelling:
    """Spells an id as the catalogue does.

    Args:
        known: The ids of the catalogue; `None` if there is none.
    """

    def __init__(self, known: Container[str] | None) -> None:
        self._known = known
        self._numbers: dict[str, str | None] | None = None

    def of(self, key: str) -> str:
        """Return the catalogue's id of the same number, if there is just one."""
        if self._known is None or key in self._known:
            return key
        number = plain_number(key)
        if number is None or not isinstance(self._known, Iterable):
            return key
        if self._numbers is None:
            self._numbers = {}
            for id_ in cast("Iterable[str]", self._known):
                plain = plain_number(id_)
                if plain is not None:
                    self._numbers[plain] = None if plain in self._numbers else id_
        return self._numbers.get(number) or key


def without_nameless(
    items: Iterable[Item],
    known: Container[str],
    nameless: Container[str] = frozenset(),
    twice: list[tuple[str, str]] | None = None,
) -> Iterator[Item]:
    """Leave out items of a log that the catalogue has, however their ids are spelled.

    Only a title is taken for an item that the catalogue calls by its id.

    Args:
        items: What a reader yields.
        known: The ids of the catalogue.
        nameless: The ids of items that have no title there.
        twice: Gets the id of each new item that has a title, with that of the nameless one of the
            same number.
    """
    spelled = Spelling(known).of
    for item in items:
        there = spelled(item.id)
        if item.named:
            if twice is not None and there != item.id and there in nameless:
                twice.append((item.id, there))
            yield item
        elif there not in known:
            yield item
        elif item.title != item.id and there in nameless:
            yield replace(item, id=there)
