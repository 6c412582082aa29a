"""Finds ids in a hint, and numbers that point at an item."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..titles.words import clean

_POINTER = re.compile(
    r"(?:(?P<sure>\b(?:candidate|item|option)\b)|\b(?:ids?|number|no|nr|index|entry|products?"
    r"|candidates|items|options|films?|movies?|games?|titles?)\b|#)"
    r"[\s.:=#\"'(\[*_]{0,9}(?:(?:ids?|number|no|nr)\b[\s.:=#\"'(\[*_]{0,9})?(?:is\s{1,9})?"
    r"(?P<listed>\d+\b(?![\w-])(?:(?:\s{0,9}(?:[,&]|\band\b|\bor\b)){1,9}\s{0,9}#?\d+\b)*|[\w-]+)",
    re.IGNORECASE,
)
_ID = re.compile(r"\bids?\b")
_SHORTEST_CODE = 5
_FIRST_YEAR, _LAST_YEAR = 1800, 2100


def find_id(text: str, ids: Collection[str]) -> str | None:
    """Return the id that a hint holds or points at, if it does.

    Args:
        text: A text from `clean`.
    """
    lowered = text.casefold()
    known = {clean(item).casefold(): item for item in ids}
    for key, item in known.items():
        if _is_code(key) and key in lowered and _stands_alone(key, lowered):
            return item
    for found in _POINTER.finditer(lowered):
        for word in re.findall(r"[\w-]+", found["listed"]):
            if word in known and (word.isdecimal() or not word.isalpha() or _is_plain(found)):
                return known[word]
            if found["sure"] and word.isdecimal():
                return word
    return None


def _is_code(key: str) -> bool:
    """Whether an id cannot be mistaken for a word, a year or a small number."""
    if key.isdecimal():
        year = len(key) < _SHORTEST_CODE and _FIRST_YEAR <= int(key) <= _LAST_YEAR
        return len(key) >= _SHORTEST_CODE - 1 and not year
    return len(key) >= _SHORTEST_CODE and not key.isalpha()


def _stands_alone(key: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text) is not None


def _is_plain(found: re.Match[str]) -> bool:
    pointer = found[0]
    return pointer.startswith(("candidate ", "item ", "#")) or bool(_ID.search(pointer))
