"""What words say of an item besides its title: its id, or its place in a list that we showed."""

from __future__ import annotations

import re
from collections.abc import Iterator

MARK = "id:"
"""Marks a word as an id, for ids that are also titles of other items."""
_BRACKETED = re.compile(r"\[([^\[\]]{1,300})\]")
_REMARK = re.compile(r"\s{0,9}\([^\n]{0,1000}\)\s{0,9}")
_NUMBER = re.compile(r"\s{0,9}#?\d{1,4}(?:[.):]|\s?[-\u2013\u2014])\s{1,9}(?=\S)")
_MOST_IDS = 5


def marked_ids(word: str) -> tuple[str, ...]:
    """Return the id that a word marks as one, as it is written and without blanks around it.

    An id may begin or end with a blank. A word that marks none stands for itself.
    """
    bare = word.strip()
    if bare.startswith("[") and bare.endswith("]"):
        return bare[1:-1], bare[1:-1].strip(" \"'")
    if bare.lower().startswith(MARK):
        id_ = word.lstrip()[len(MARK) :]
        return id_, id_.strip()
    return (word,)


def titles_and_ids(word: str) -> Iterator[tuple[str, str]]:
    """Yield each way to read a word as a title with an id in brackets, as answers and errors show.

    That is "The Matrix (1999)  [2571]  (genres: Action)", or with the id in front.
    """
    for found in [*_BRACKETED.finditer(word)][-_MOST_IDS:]:
        before, after = word[: found.start()].strip(), word[found.end() :]
        for id_ in dict.fromkeys((found[1], found[1].strip())):
            if before and (not after.strip() or _REMARK.fullmatch(after)):
                yield before, id_
                yield without_number(before), id_
            elif not before and after.strip():
                yield after.strip(), id_


def without_number(word: str) -> str:
    """Return a line of a numbered list without its number."""
    found = _NUMBER.match(word)
    return word[found.end() :] if found else word
