"""Tells facts about a candidate behind its title: "Alien - Horror, Science Fiction - 1979"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...records import Item

_PARTS = re.compile(r"\s?[(\[]|\s[-\u2013\u2014|]\s|[,:;|]\s")
_PIECES = re.compile(r"[,;/|&()\[\]]|\s(?:[-\u2013\u2014]|and)\s")
_MOST_PARTS, _LONGEST = 12, 500


def factual_heads(line: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what may be the title of a line, the longest first, and the pieces behind it.

    Args:
        line: The line without its number.
    """
    line = line[:_LONGEST]
    for part in reversed([*_PARTS.finditer(line)][:_MOST_PARTS]):
        pieces = _PIECES.split(line[part.end() :])
        yield line[: part.start()], [plain for piece in pieces if (plain := _plain(piece))]


def facts_of(item: Item) -> frozenset[str]:
    """Return what is known of an item, each value as the pieces of a line are written."""
    facts: set[str] = set()
    for value in item.attributes.values():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            facts.add(_plain(str(one)))
    return frozenset(facts)


def _plain(text: str) -> str:
    return text.strip(" *_`\"'.").casefold()
