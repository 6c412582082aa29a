"""Reads what names a candidate: a number, a numbered title, or a title."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .candidates import MOST, Candidates, Column
from .key_names import Counted, counted_by
from .measures import PLACED, are_their_own, increases, rated
from .numbers import (
    LONGEST,
    MAPPED,
    NUMBERED,
    PAIR,
    bare_number,
    counts_down,
    counts_places,
    counts_up,
    in_words,
    pointed_numbers,
)
from .place_labels import without_place_labels
from .tails import Kind, Tail, in_order, tails_of

_POINTS = 10
_BEHIND = " *_`([{:;,|-\u2013\u2014"


class EntryReader(Candidates):
    """Reads entries about numbered candidates, in the order or by the places that they give."""

    def without_place_labels(self, lines: Sequence[str]) -> list[str]:
        """Return lines with plain numbers for labels such as "Platz 1:" or "1er :"."""
        return without_place_labels(
            lines,
            titled=lambda line: bool(self._items) and self._titles.is_whole(line),
            number=self._is_bare,
            candidate=self.names_candidate,
        )

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
        texts = self.without_place_labels([text[:LONGEST] for text in texts[:MOST]])
        mapped = [MAPPED.fullmatch(text) for text in texts]
        if None not in mapped:
            pairs = [(int(found[1]), int(found[2])) for found in mapped if found]
            return self._by_places([one for one, _ in pairs], [place for _, place in pairs])
        placed = [PLACED.search(text, 1) for text in texts]
        heads = [t[: p.start()].rstrip(_BEHIND) for t, p in zip(texts, placed, strict=True) if p]
        if len(heads) == len(texts) and (named := self.read_texts(heads)):
            if counts_up(named) and all(map(_may_be_place, texts, heads, placed)):
                return ()
            ordered = self._by_places(named, [int(p[1] or p[2]) for p in placed if p])
            return ordered or (named if counts_places(texts, named) else ())
        beside = self._beside(texts)
        if beside is not None:
            return beside
        found = self.read_texts(texts)
        doubtful = any(self.title_in(text) or PAIR.fullmatch(text) for text in texts)
        if found is None and not doubtful and self._counted_down(texts) is None:
            found = pointed_numbers(texts)
        found = found or ()
        return () if increases(found) and len(found) > 1 and all(map(self._rated, texts)) else found

    def _rated(self, text: str) -> bool:
        """Whether a line says how good its candidate is, with or without a word for that."""
        whole = bool(self._items) and self._titles.is_whole(text)
        worded = (any(map(str.isalpha, tail.head)) for tail in tails_of(text))
        return rated(text) or (not whole and any(worded))

    def tailed(self, text: str) -> Tail | None:
        """Return the number behind the title with which a line begins; `None` if there is none."""
        if not self._items or self._titles.is_whole(text):
            return None
        return next((tail for tail in tails_of(text) if self.title_in(tail.head)), None)

    def named(self, text: str) -> int:
        """Return the candidate whose title a text is, perhaps with a number; 0 for none."""
        tail = self.tailed(text)
        return self.title_in(tail.head if tail else text)

    def _beside(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates of titles with a number behind each, `None` if they are none."""
        tails = [self.tailed(text) for text in texts]
        told = [tail for tail in tails if tail]
        if not told or (len(told) * 2 <= len(texts) and any(t.kind is Kind.BARE for t in told)):
            return None
        heads = [tail.head if tail else text for text, tail in zip(texts, tails, strict=True)]
        found = self.read_texts(heads) or ()
        counted = counts_places(texts, found)
        return in_order(found, [self.title_in(head) for head in heads], tails, counted=counted)

    def _by_places(self, numbers: Sequence[int], places: Sequence[int]) -> Sequence[int]:
        own = are_their_own(places, numbers)
        if own or not counts_up(sorted(places)) or not self.holds(numbers):
            return ()
        return [number for _, number in sorted(zip(places, numbers, strict=True))]

    def read_texts(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates' numbers in texts, 0 for one that names none.

        All are read in the same way: as numbers, as numbers before titles, as titles, or as places
        before either.

        Returns:
            `None` where numbers and titles contradict each other, or nothing is named.
        """
        texts = [text[:LONGEST] for text in texts[:MOST]]
        rests = self._counted_down(texts)
        return self._read_texts(texts) if rests is None else self._from_the_last(texts, rests)

    def _read_texts(self, texts: Sequence[str]) -> Sequence[int] | None:
        bare = [bare_number(text) for text in texts]
        numbers: Column = [number for number in bare if number is not None]
        if len(numbers) == len(texts):
            foreign = self._items and not all(1 <= n <= len(self._items) for n in numbers)
            found = self._find(texts) if foreign else []
            return numbers if not found or 0 in found else found
        starts = [NUMBERED.match(text) for text in texts]
        whole = [self._is_whole(t, s) for t, s in zip(texts, starts, strict=True)]
        starts = [None if w else s for w, s in zip(whole, starts, strict=True)]
        leads: Column = [int(start[1]) for start in starts if start]
        rests = [t[s.end() :] if s else t for t, s in zip(texts, starts, strict=True)]
        inner = [bare_number(rest) for rest in rests]
        if None not in inner and counts_up(leads) and not any(whole):
            numbers = [number for number in inner if number is not None]
            paired = all(PAIR.fullmatch(text) for text in texts)
            places = all(counted_by(text) is Counted.CANDIDATE for text in texts)
            return None if places or (paired and self.may_be_scores(numbers)) else numbers
        found = self._find(rests, [int(s[1]) if s else None for s in starts])
        if not any(found):
            if len(leads) < len(texts) or None not in inner:
                return in_words(texts)
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

    def _counted_down(self, texts: Sequence[str]) -> list[str] | None:
        """Return what stands behind numbers that count from the last to the first, if they do."""
        starts = [NUMBERED.match(text) for text in texts]
        leads = [int(start[1]) for start in starts if start]
        if len(leads) < len(texts) or not counts_down(leads):
            return None
        whole = any(self._is_whole(text, s) for text, s in zip(texts, starts, strict=True))
        rests = [text[start.end() :] for text, start in zip(texts, starts, strict=True) if start]
        return None if whole else rests

    def _from_the_last(self, texts: Sequence[str], rests: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates of lines that count places from the last to the first.

        Numbers that are those of the titles behind them may be candidates', from the best on. They
        are if all candidates are listed as in the prompt.
        """
        paired = all(PAIR.fullmatch(text) for text in texts)
        named = None if paired else self._read_texts(rests)
        if not named or 0 in named:
            return None
        if not counts_down(named):
            return named[::-1]
        return named if len(named) == self.candidates and all(self._find(rests)) else None

    def read_numbered(self, parts: Sequence[str]) -> Sequence[int]:
        """Return the candidates of "1. Alien 2. Heat" on one line; none if a part names none."""
        parts = [part for part in parts if part.strip()]
        places = [int(start[1]) for part in parts if (start := NUMBERED.match(part))]
        if len(parts) <= 1 or len(places) < len(parts):
            return ()
        if counts_down(places):
            found = self.read_texts(parts) or ()
        else:
            found = (self.read_titles(parts) or ()) if counts_up(places) else ()
        return () if 0 in found else found

    def _behind(self, places: Sequence[int], rests: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates of "1. [8] Alien": numbered titles behind their places."""
        return self.read_texts(rests) if places and all(map(self.numbered, rests)) else None

    def read_titles(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates' numbers in a list of titles, `None` if it is none."""
        found = self._find(texts[:MOST])
        return found if sum(map(bool, found)) * 2 > len(texts) else None

    def read_titled(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Return the candidates of lines without numbers in front, `None` if they are no list.

        A number behind each title may be the candidate's, its place or its score.
        """
        texts = texts[:MOST]
        titled = [text for text in texts if self.title_in(text) or self.tailed(text)]
        told = any(self.tailed(text) or PLACED.search(text, 1) or rated(text) for text in titled)
        many = len(titled) > 1 and len(titled) * 2 > len(texts)
        return self.read_lines(titled) if told and many else self.read_titles(texts)


def _may_be_place(text: str, head: str, placed: re.Match[str] | None) -> bool:
    """Whether the number right before a word for places may be one, as in "No. 1 place: 8"."""
    if placed is None or ":" not in placed[0] or text[len(head) : placed.start()].strip(" *_`"):
        return False
    return bare_number(head) is not None and counted_by(head) is not Counted.CANDIDATE
