"""Reads the number after a title in its line: the candidate's number, a place or a score."""

# ruff: noqa: RUF001  # dashes and signs that models write

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from .measures import are_their_own, names_place, names_score
from .numbers import CANDIDATE, LONGEST, counts_up

_TAIL = re.compile(
    r"(?P<sign>\s{0,3}(?:[(\[{|,;:=~#/–—-]|->|>)[\s*_]{0,4}|[\s*_]{1,4})"
    r"(?P<words>(?:[^\W\d_]{1,20}[\s:.=]{1,3}){0,3})[#№(\[★⭐]{0,2}\s?"
    r"(?P<number>\d{1,6}(?:[.,]\d{1,6})?)(?P<place>st|nd|rd|th|[º°ª])?"
    r"(?P<unit>\s?(?:%|(?:/|out of|of|von|sur|de|di)\s?\d{1,6}|[★⭐]|(?:points?|pts|stars?)\b))?"
    r"(?:\s(?:match|fit|score|similar\w{0,3}|confiden\w{1,3}|likely|likelihood|relevan\w{1,2}))?"
    r"[\s*_`\"')\]}.]{0,6}\Z",
    re.IGNORECASE,
)
_NEAR = 60
"""Characters at the end of a line in which such a number begins."""
_YEARS = range(1850, 2101)


class Kind(Enum):
    """What a number after a title may be."""

    BARE = auto()
    PLACE = auto()
    SCORE = auto()


@dataclass(frozen=True, slots=True)
class Tail:
    """A number after a title.

    Attributes:
        head: The part of the line before it.
        number: The number.
        kind: What it is, by the words and the unit next to it.
    """

    head: str
    number: float
    kind: Kind


def tails_of(line: str) -> Iterator[Tail]:
    """Yield the numbers that a line may end with, the longest first.

    Args:
        line: The line. Only a number next to a word or sign counts; years do not.
    """
    line = line[:LONGEST]
    for at in range(max(1, len(line) - _NEAR), len(line)):
        found = _TAIL.match(line, at)
        kind = _kind(found) if found else None
        if found and kind:
            yield Tail(line[:at], float(found["number"].replace(",", ".")), kind)


def _kind(found: re.Match[str]) -> Kind | None:
    words, unit = found["words"].strip(" :.="), found["unit"]
    if found["place"] or names_place(words):
        return Kind.PLACE
    measured = (unit and "of" not in words) or not found["number"].isdecimal()
    if measured or names_score(words) or set("★⭐") & set(found[0]):
        return Kind.SCORE
    sign = found["sign"].strip(" *_\t")
    if words or not (sign or "#" in found[0]):
        return Kind.BARE if CANDIDATE.fullmatch(words) else None
    year = found["number"].isdecimal() and int(found["number"]) in _YEARS
    return None if year else Kind.BARE


def in_order(
    found: Sequence[int],
    titles: Sequence[int],
    tails: Sequence[Tail | None],
    *,
    counted: bool = False,
) -> Sequence[int]:
    """Return candidates in the order that the numbers after them confirm or give; else none.

    Args:
        found: The candidates, in the order of their lines or of the numbers in front.
        titles: The candidates that the lines name, in the order of the lines.
        tails: The number after each title, if there is one.
        counted: Whether numbers in front count places, so that scores decide nothing.
    """
    beside = {title: tail for title, tail in zip(titles, tails, strict=True) if tail}
    told = [(candidate, beside[candidate]) for candidate in found if candidate in beside]
    kinds = {tail.kind for _, tail in told}
    wrong = any(tail.kind is Kind.BARE and tail.number != one for one, tail in told)
    if wrong or len(beside) < sum(tail is not None for tail in tails):
        return ()
    if kinds == {Kind.PLACE} and len(told) == len(found):
        places = sorted(tail.number for _, tail in told)
        own = are_their_own([tail.number for _, tail in told], found)
        if not own and all(map(float.is_integer, places)) and counts_up([*map(int, places)]):
            return [one for one, _ in sorted(told, key=lambda pair: pair[1].number)]
    if counted:
        return found
    scores = [tail.number for _, tail in told]
    falls = scores == sorted(scores, reverse=True) and len(set(scores)) > 1
    return found if kinds == {Kind.BARE} or (kinds == {Kind.SCORE} and falls) else ()
