"""Tells places and scores next to candidates, by their names and by how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ...records import is_number
from ..text.plain_signs import NUMBER_WORDS, ORDINALS

_LONGEST = 500
_BOUND = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+")
_PLACES = re.compile(
    r"\b(?:rank(?:ed|s)?|places?|pos(?:itions?)?|order|rang|platz|puesto|lugar|posici[o\u00f3]n|classement"
    r"|posto|posi\u00e7\u00e3o|\u043c\u0435\u0441\u0442\u043e|\u0440\u0430\u043d\u0433"
    r"|\u6392\u540d|\u540d\u6b21|\u9806\u4f4d)\b"
)
_SCORES = re.compile(
    r"\b(?:scores?|similarity|relevance|prob(?:ability)?|likelihood|confidence|weight|ratings?|points"
    r"|percent(?:age)?|stars|fit|match|suitability|puntuaci[o\u00f3]n|puntaje|puntos|punkte|bewertung"
    r"|punteggio|pontua\u00e7\u00e3o|\u043e\u0446\u0435\u043d\u043a\u0430|\u0431\u0430\u043b\u043b"
    r"|\u5f97\u5206|\u5206\u6570|\u8bc4\u5206)\b"
)
_PLACE = re.compile(
    r"\W{0,6}(?:\w{1,12}\W{1,3})?(\d{1,6})(?:st|nd|rd|th|[.\u00ba\u00aa])?(?:\W.{0,20})?\Z"
)
_SCORE = re.compile(r"\W{0,6}(\d{1,9}(?:[.,]\d{1,9})?)\s?(%|(?:/|out of|of)\s?\d{1,6}|)\W{0,3}\Z")
PLACED = re.compile(
    r"\b(?:rank(?:ed|ing)?|place|position|platz|rang|puesto)\b\W{0,5}(?:is\s|at\s|as\s)?\W{0,3}"
    r"(?:number\s)?#?(\d{1,6})\b|(?<![\w.])(\d{1,6})(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)
"""A place in a line about a candidate."""
_RATED = re.compile(
    r"\d\s?(?:/|out of)\s?\d|\d\s?%|(?<![\w.])\d{0,3}\.\d|\d\s(?:points?|pts|stars?)\b"
    r"|[\u2605\u2b50\U0001f31f]"
    r"|\b(?:score|rating|rated|relevance|similarity|probability|likelihood|confidence|points?|match"
    r"|stars?|fit)\b[^\d\n]{0,20}\d|\b(?:very\s)?(?:high|medium|low)\b",
    re.IGNORECASE,
)


def names_place(key: str) -> bool:
    """Whether a column's name says that it holds places, as "rank" or "finalPosition"."""
    words = name_words(key)
    other = _SCORES.search(words) or "id" in words.split()
    return _PLACES.search(words) is not None and not other


def names_score(key: str) -> bool:
    """Whether a column's name says that the best candidate has the highest value in it."""
    return _SCORES.search(name_words(key)) is not None


def place_in(entry: Any) -> int | None:
    """Return the place that an entry is, such as 4, "#4", "4th", "fourth" or "4 of 10"."""
    if is_number(entry):
        return int(entry) if entry == int(entry) else None
    if not isinstance(entry, str):
        return None
    found = _PLACE.match(entry[:_LONGEST])
    return int(found[1]) if found else _place_in_words(entry[:_LONGEST])


def _place_in_words(entry: str) -> int | None:
    words = [word for word in name_words(entry).split() if word in ORDINALS or word in NUMBER_WORDS]
    if len(words) != 1:
        return None
    one = words[0]
    return ORDINALS.index(one) + 1 if one in ORDINALS else NUMBER_WORDS.index(one)


def score_in(entry: Any) -> float | None:
    """Return the score that an entry is, such as 0.8, "80%" or "8/10"."""
    if is_number(entry):
        return float(entry)
    found = _SCORE.match(entry[:_LONGEST]) if isinstance(entry, str) else None
    return float(found[1].replace(",", ".")) if found else None


def rated(text: str) -> bool:
    """Whether a line about a candidate says how good it is."""
    return _RATED.search(text[:_LONGEST]) is not None


def increases(column: Sequence[Any]) -> bool:
    """Whether each number is larger than the one before."""
    return all(one < other for one, other in pairwise(column))


def are_their_own(places: Sequence[Any], candidates: Sequence[int]) -> bool:
    """Whether what should be places are the candidates' own numbers, in an order of their own.

    Then either may be meant: the order of the entries, or that of the numbers.

    Args:
        candidates: Beside each; 0 where none is known.
    """
    same = all(one in {0, place} for place, one in zip(places, candidates, strict=True))
    return same and any(candidates) and not increases(places)


def name_words(key: str) -> str:
    """Return the words of a name such as "finalPosition" or "rank_1", in lower case."""
    return _BOUND.sub(" ", key[:_LONGEST]).lower()
