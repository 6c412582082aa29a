"""Reads what names a candidate: a number, a numbered title, or a title."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..records import Item
from .answer_measures import PLACED, increases, rated
from .place_labels import without_place_labels
from .plain_signs import NUMBER_WORDS
from .title_match import WRAPPING, Titles

Column = list[int]

_LONGEST = 500
_MOST = 1_000
_CANDIDATES = (
    r"candidat[eo]?|kandidat|\u5019\u9009|\u5019\u88dc"
    r"|\u043a\u0430\u043d\u0434\u0438\u0434\u0430\u0442"
)
"""What languages call a candidate."""
_THING = rf"(?:{_CANDIDATES}|item|option|film|movie|game|product)s?"
_NAME = rf"(?:{_THING}|number|no|nr|n\u00b0|id)(?:\b|(?=[_\d]))"
_MARKS = r"[\s#*_`\"'(\[:.=-]"
_BARE = re.compile(
    rf"{_MARKS}{{0,6}}+(?:{_NAME}{_MARKS}{{0,4}}+){{0,2}}+(\d{{1,6}})(?:\.0)?"
    r"[\s*_`\"')\].:,;]{0,6}+",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    rf"[\s*_`\"'(\[•\u2013-]{{0,6}}+(?:(?:rank|place|position|{_NAME}){_MARKS}{{0,3}}+)?"
    r"#?\s?(\d{1,6})(?![\w.]{0,9}\d)(?:st|nd|rd|th)?[\s*_`\"')\].:,|\u2013-]{1,6}+(?=\S)",
    re.IGNORECASE,
)
POINTED = re.compile(
    rf"(?:\b(?:{_CANDIDATES}|item|option|number)\s?#?|#)(\d{{1,6}})\b", re.IGNORECASE
)
_CANDIDATE = re.compile(_NAME, re.IGNORECASE)
_MAPPED = re.compile(
    rf"[\s*_`\"'(\[\u2022-]{{0,6}}+{_THING}\s?#?(\d{{1,6}})[*_`\"')\]]{{0,4}}+\s?(?:[:=-]|->)"
    r"[\s*_`\"'(#]{0,6}+(\d{1,6})(?:\.0)?[\s*_`\"').]{0,6}+",
    re.IGNORECASE,
)
"""A candidate and a number: its place, or a score."""
_PAIR = re.compile(r"\W{0,6}\d{1,6}\s?(?:[:=(\u2013\u2014-]|->)\s?\d{1,6}\W{0,6}")
_POINTS = 10
_BEHIND = " *_`([{:;,|-\u2013\u2014"
_ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)
_DIGITS = re.compile(r"\d{1,7}")


def bare_number(entry: Any) -> int | None:
    """Return the number that an entry is, written as a number or as text such as "#8".

    Args:
        entry: From decoded JSON.
    """
    if isinstance(entry, int) and not isinstance(entry, bool):
        return entry
    if not isinstance(entry, str):
        return None
    found = _BARE.fullmatch(entry[:_LONGEST])
    return int(found[1]) if found else None


def pointed_numbers(texts: Sequence[str]) -> Sequence[int]:
    """Return what texts say about "candidate 8" or "#8"; empty unless each mentions one."""
    found = [POINTED.findall(text[:_LONGEST]) for text in texts]
    return [int(numbers[0]) for numbers in found] if all(len(n) == 1 for n in found) else ()


def only_number(key: str) -> int | None:
    """Return the one number that a key such as "rank_1" holds."""
    found = _DIGITS.findall(key[:_LONGEST])
    if key.strip().lower() in _ORDINALS:
        return _ORDINALS.index(key.strip().lower()) + 1
    return int(found[0]) if len(found) == 1 else None


def counts_up(numbers: Sequence[Any]) -> bool:
    """Whether numbers count places: 1, 2, 3, …, or from 0.

    Args:
        numbers: In their order.
    """
    first = numbers[0] if numbers else None
    return first in {0, 1} and list(numbers) == list(range(first, first + len(numbers)))


def comes_again(found: Sequence[int]) -> bool:
    """Whether a candidate is named again behind a line that names none: a draft, then an answer.

    Args:
        found: What each line names; 0 for none.
    """
    named = [at for at, number in enumerate(found) if number]
    inside = found[named[0] : named[-1]] if named else ()
    return 0 in inside and len({found[at] for at in named}) < len(named)


def _in_words(texts: Sequence[str]) -> Sequence[int] | None:
    words = [text.strip(WRAPPING).lower() for text in texts]
    known = all(word in NUMBER_WORDS for word in words)
    return [NUMBER_WORDS.index(word) for word in words] if known else None


class EntryReader:
    """Reads entries about numbered candidates.

    Args:
        items: The candidates in the order of their numbers; empty if they are not known.
        candidates: How many there are; 0 if that is not known.
    """

    def __init__(self, items: Sequence[Item], candidates: int = 0) -> None:
        self._items = items
        self.candidates = candidates

    @cached_property
    def _titles(self) -> Titles:
        return Titles(self._items)

    def names_number(self, text: str) -> bool:
        """Whether a text holds a title with a number in it, as "Apollo 13"."""
        titles = (item.title[:_LONGEST] for item in self._items[:_MOST])
        return any(t in text for t in titles if not t.isdecimal() and any(map(str.isdigit, t)))

    def names_candidate(self, key: str) -> bool:
        """Whether a key such as "candidate 8" says that its number is a candidate's."""
        return _CANDIDATE.search(key[:_LONGEST]) is not None

    def numbered(self, text: str) -> bool:
        """Whether a line is a number, or begins with one."""
        return bare_number(text) is not None or _NUMBERED.match(text[:_LONGEST]) is not None

    def starts_anew(self, lines: Sequence[str]) -> bool:
        """Whether the numbers of lines count from 1 more than once: there are several lists."""
        starts = [_NUMBERED.match(line[:_LONGEST]) for line in lines]
        numbers = [int(start[1]) for start in starts if start]
        return numbers.count(1) > 1 and max(numbers) > 1

    def without_place_labels(self, lines: Sequence[str]) -> list[str]:
        """Return lines with plain numbers for labels such as "Platz 1:" or "1er :"."""
        return without_place_labels(
            lines,
            titled=lambda line: bool(self._items) and self._titles.is_whole(line),
            number=self._is_bare,
            candidate=self.names_candidate,
        )

    def _is_bare(self, text: str) -> bool:
        """Whether a text is a number that no word and no title makes a candidate's."""
        bare = bare_number(text) is not None
        return bare and not self.names_candidate(text) and not self._is_title(text.strip(WRAPPING))

    def _is_whole(self, text: str, start: re.Match[str] | None) -> bool:
        """Whether a text is a title, or begins with one of which its number is a part."""
        if self._is_title(text) or start is None:
            return self._is_title(text)
        rest = text[start.end() :]
        return bare_number(rest) is None and not any(self._find([rest])) and any(self._find([text]))

    def _is_title(self, text: str) -> bool:
        return bool(self._items) and bool(self._titles.exact(text))

    def holds(self, numbers: Sequence[int]) -> bool:
        """Whether all numbers are candidates', and none comes twice."""
        known = all(number > 0 and number <= (self.candidates or number) for number in numbers)
        return known and len(set(numbers)) == len(numbers)

    def may_be_scores(self, numbers: Sequence[int]) -> bool:
        """Whether the latter of "1: 9, 2: 8" may say how good each candidate is.

        All candidates, each once, are places. Some of them may be points out of ten, or the best
        score first.
        """
        some = len(numbers) < self.candidates or not self.holds(numbers)
        return some and (max(numbers, default=0) <= _POINTS or increases(numbers[::-1]))

    def read_lines(self, texts: Sequence[str]) -> Sequence[int]:
        """Return the candidates' numbers in texts about one candidate each; none if doubtful.

        They are in the texts' order, or in that of places that the texts name. Candidates that
        are gone through in the order of their numbers to say how good each is are no ranking.
        """
        texts = self.without_place_labels([text[:_LONGEST] for text in texts[:_MOST]])
        mapped = [_MAPPED.fullmatch(text) for text in texts]
        if None not in mapped:
            pairs = [(int(found[1]), int(found[2])) for found in mapped if found]
            return self._by_places([one for one, _ in pairs], [place for _, place in pairs])
        placed = [PLACED.search(text, 1) for text in texts]
        heads = [t[: p.start()].rstrip(_BEHIND) for t, p in zip(texts, placed, strict=True) if p]
        if len(heads) == len(texts) and (named := self.read_texts(heads)):
            return self._by_places(named, [int(p[1] or p[2]) for p in placed if p])
        found = self.read_texts(texts) or pointed_numbers(texts)
        return () if increases(found) and len(found) > 1 and all(map(rated, texts)) else found

    def _by_places(self, numbers: Sequence[int], places: Sequence[int]) -> Sequence[int]:
        if not counts_up(sorted(places)) or not self.holds(numbers):
            return ()
        return [number for _, number in sorted(zip(places, numbers, strict=True))]

    def read_texts(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates' numbers in texts, 0 for one that names none.

        All are read in the same way: as numbers, as numbers before titles, as titles, or as places
        before either.

        Returns:
            `None` where numbers and titles contradict each other, or nothing is named.
        """
        texts = [text[:_LONGEST] for text in texts[:_MOST]]
        bare = [bare_number(text) for text in texts]
        numbers: Column = [number for number in bare if number is not None]
        if len(numbers) == len(texts):
            foreign = self._items and not all(1 <= n <= len(self._items) for n in numbers)
            found = self._find(texts) if foreign else []
            return numbers if not found or 0 in found else found
        starts = [_NUMBERED.match(text) for text in texts]
        whole = [self._is_whole(t, s) for t, s in zip(texts, starts, strict=True)]
        starts = [None if w else s for w, s in zip(whole, starts, strict=True)]
        leads: Column = [int(start[1]) for start in starts if start]
        rests = [t[s.end() :] if s else t for t, s in zip(texts, starts, strict=True)]
        inner = [bare_number(rest) for rest in rests]
        if None not in inner and counts_up(leads) and not any(whole):
            numbers = [number for number in inner if number is not None]
            paired = all(_PAIR.fullmatch(text) for text in texts)
            return None if paired and self.may_be_scores(numbers) else numbers
        found = self._find(rests, [int(s[1]) if s else None for s in starts])
        if not any(found):
            if len(leads) < len(texts) or None not in inner:
                return _in_words(texts)
            return self._behind(leads, rests) if counts_up(leads) else leads
        agree = all(
            not number or not start or number == int(start[1])
            for number, start in zip(found, starts, strict=True)
        )
        # "2." before an unknown title may count places, unless all are listed as in the prompt.
        placed = counts_up(leads) and len(texts) != self.candidates
        if agree and len(leads) == len(texts) and not placed:
            return leads
        return found if agree or counts_up(leads) else None

    def read_numbered(self, parts: Sequence[str]) -> Sequence[int]:
        """Return the candidates of "1. Alien 2. Heat" on one line; none if a part names none."""
        parts = [part for part in parts if part.strip()]
        places = [int(start[1]) for part in parts if (start := _NUMBERED.match(part))]
        if len(parts) < 2 or len(places) < len(parts) or not counts_up(places):  # noqa: PLR2004
            return ()
        found = self.read_titles(parts) or ()
        return () if 0 in found else found

    def _behind(self, places: Sequence[int], rests: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates of "1. [8] Alien": numbered titles behind their places."""
        return self.read_texts(rests) if places and all(map(self.numbered, rests)) else None

    def read_titles(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates' numbers in a list of titles, `None` if it is none."""
        found = self._find(texts[:_MOST])
        return found if sum(map(bool, found)) * 2 > len(texts) else None

    def _find(self, texts: Sequence[str], leads: Sequence[int | None] = ()) -> Column:
        """Find titles; of the same ones, the one with the number in front, or the next."""
        used: set[int] = set()
        numbers: Column = []
        for place, text in enumerate(texts):
            found = self._titles.find(text) if self._items else []
            lead = leads[place] if leads else None
            free = [number for number in found if number not in used] or found
            number = lead if lead in found else next(iter(free), 0)
            used.add(number or 0)
            numbers.append(number or 0)
        return numbers
