"""Tells places and scores beside candidates, by their names and by how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..records import is_number

_LONGEST = 500
_BOUND = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+")
_PLACES = frozenset(
    [
        "rank",
        "ranked",
        "place",
        "position",
        "pos",
        "order",
        "rang",
        "platz",
        "puesto",
        "lugar",
        "posición",
        "posicion",
        "classement",
        "posto",
        "posição",
        "место",
        "ранг",
        "排名",
        "名次",
        "順位",
        "순위",
    ]
)
_SCORES = frozenset(
    [
        "score",
        "scores",
        "similarity",
        "relevance",
        "probability",
        "prob",
        "likelihood",
        "confidence",
        "fit",
        "match",
        "suitability",
        "weight",
        "rating",
        "ratings",
        "points",
        "percent",
        "percentage",
        "stars",
        "puntuación",
        "puntuacion",
        "puntaje",
        "puntos",
        "punkte",
        "bewertung",
        "punteggio",
        "pontuação",
        "оценка",
        "балл",
        "得分",
        "分数",
        "评分",
    ]
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
    r"\d\s?(?:/|out of)\s?\d|\d\s?%|(?<![\w.])\d{0,3}\.\d|\d\s(?:points?|pts|stars?)\b|[\u2605\u2b50\U0001f31f]"
    r"|\b(?:score|rating|rated|relevance|similarity|probability|likelihood|confidence|points?|match"
    r"|stars?|fit)\b[^\d\n]{0,20}\d|\b(?:very\s)?(?:high|medium|low)\b",
    re.IGNORECASE,
)


def names_place(key: str) -> bool:
    """Whether a column's name says that it holds places, as "rank" or "finalPosition"."""
    words = _words(key)
    return bool(words & _PLACES) and not words & _SCORES and "id" not in words


def names_score(key: str) -> bool:
    """Whether a column's name says that the best candidate has the highest value in it."""
    return bool(_words(key) & _SCORES)


def place_in(entry: Any) -> int | None:
    """Return the place that an entry is, such as 4, "#4", "4th" or "4 of 10"."""
    if is_number(entry):
        return int(entry) if entry == int(entry) else None
    found = _PLACE.match(entry[:_LONGEST]) if isinstance(entry, str) else None
    return int(found[1]) if found else None


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


def _words(key: str) -> set[str]:
    return set(_BOUND.sub(" ", key[:_LONGEST]).lower().split())
