"""Tells whether the number in a key such as "rank_no_1" or "item 8" is a place or a candidate's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto

from .measures import name_words, names_place

_LONGEST = 500
CANDIDATES = (
    r"candidat[eo]?|kandidat|\u5019\u9009|\u5019\u88dc"
    r"|\u043a\u0430\u043d\u0434\u0438\u0434\u0430\u0442"
)
"""Words for a candidate in several languages."""
THING = rf"(?:{CANDIDATES}|item|option|film|movie|game|product)s?"
"""Words for a candidate, or for what it is."""
NUMBER = (
    r"(?:number|num(?:[m\u00e9]?er|[\u00e9e]ro)?|n\u00fam(?:ero)?|nr[o\u00ba]?|n[o\u00b0\u00ba]|\u2116"
    r"|\u043d\u043e\u043c\u0435\u0440|id)"
)
"""Words which say that a number follows, in several languages, but not what it counts."""
_THING = re.compile(THING)
_NUMBER = re.compile(rf"{NUMBER}|n|index")
_SIGN = re.compile(r"n[\u00b0\u00ba]|\u2116")
_CHOICE = re.compile(
    r"\b(?:ranking|top|best|choice|pick|slot|spot|preference|priority|recommendation|suggestion"
    r"|wahl|auswahl|empfehlung|choix|recommandation|elecci[o\u00f3]n|recomendaci[o\u00f3]n|scelta"
    r"|escolha|recomenda\u00e7\u00e3o|\u0432\u044b\u0431\u043e\u0440)\b"
)
"""Further words for a place, but not in the name of a list or of its column."""
_ORDINAL = re.compile(r"\d(?:st|nd|rd|th|er|re|\u00e8re|\u00e8me|e|\u00ba|\u00aa)(?![^\W\d_])")
_DIGITS = re.compile(r"\d+")
_OF = frozenset({"of", "for", "von", "de", "du", "di"})


class Counted(Enum):
    """What the number in a key counts, by the words of the key."""

    PLACE = auto()
    CANDIDATE = auto()
    UNSURE = auto()


def counted_by(key: str) -> Counted | None:
    """Return what the number in a key counts, or `None` if the key does not say.

    The words before the number decide: "candidate 8 rank" is about candidate 8, and
    "rank_1_candidate" about place 1. "No. 1" may be either, as may "top_item_1" and "place_id_1".

    Args:
        key: An object's key, or a line's label, with or without its number.
    """
    key = _SIGN.sub(" no ", key[:_LONGEST])
    before, after = _DIGITS.split(key, maxsplit=1) if _DIGITS.search(key) else (key, "")
    words = name_words(before).split()
    if not words:
        if _ORDINAL.search(key.lower()) or names_place(after):
            return Counted.PLACE
        return Counted.UNSURE if any(map(_is_known, name_words(after).split())) else None
    owners = words[_last(words) :]
    if owners != words and all(map(_is_known, owners)):  # "rank of candidate 8", "rank of 8"
        return Counted.CANDIDATE
    thing = any(map(_THING.fullmatch, words))
    if all(map(_is_known, words)):
        return Counted.CANDIDATE if thing else Counted.UNSURE
    numbered = any(map(_NUMBER.fullmatch, words))
    placed = names_place(before) or _CHOICE.search(" ".join(words))
    before_number = names_place(words[-1])  # "Movie rank 1"
    if (thing and not before_number) or (numbered and ("id" in words or not placed)):
        return Counted.UNSURE
    return Counted.PLACE if placed else None


def names_places(name: str) -> bool:
    """Whether a column's name says that it holds places, as "rank", "Rank No." or "choice_no"."""
    if names_place(name):
        return True
    return is_numbered(name) and counted_by(name) is Counted.PLACE


def holds_places(name: str, columns: Iterable[str]) -> bool:
    """Whether a column's name says that it holds places.

    "choice_number" may be the number of a candidate, unless another column has that.

    Args:
        name: The column's name.
        columns: The names of all columns.
    """
    if names_place(name):
        return True
    return names_places(name) and any(counted_by(one) is Counted.CANDIDATE for one in columns)


def is_id_of_place(name: str) -> bool:
    """Whether a name is one such as "place_id", which may hold places or candidates."""
    words = name_words(name[:_LONGEST]).split()
    return "id" in words and names_place(" ".join(word for word in words if word != "id"))


def is_numbered(name: str) -> bool:
    """Whether a name has a word for a number or for a candidate, as "slot_id" or "Film Nr."."""
    return any(map(_is_known, name_words(_SIGN.sub(" no ", name[:_LONGEST])).split()))


def counted_by_all(keys: Iterable[str]) -> Counted | None:
    """Return what the numbers in keys count, or `None` if not all keys say it."""
    said = {counted_by(key) for key in keys}
    if said <= {Counted.PLACE, None}:
        return None if None in said else Counted.PLACE
    return said.pop() if len(said) == 1 else Counted.UNSURE


def _is_known(word: str) -> bool:
    return bool(_THING.fullmatch(word) or _NUMBER.fullmatch(word))


def _last(words: list[str]) -> int:
    """Return where the words behind the last "of" begin."""
    return max((at + 1 for at, word in enumerate(words) if word in _OF), default=0)
