"""What a text names among the candidates: by a number, by a title, or by both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from ...records import Item
from ..text.declined import declines
from .key_names import Counted, counted_by
from .numbers import LONGEST, NUMBERED, bare_number
from .title_match import WRAPPING, Titles, plain_title

Column = list[int]

MOST = 1_000
"""Most entries, or candidates, to look at."""
_BULLET = re.compile(r"[-*+\u2022\u2013]\s{1,3}")


class Candidates:
    """Numbered candidates, and what a text says of them.

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

    @cached_property
    def _refusing(self) -> list[str]:
        titles = (item.title[:LONGEST] for item in self._items[:MOST])
        return [title for title in titles if title and declines(title)]

    def names_number(self, text: str) -> bool:
        """Whether a text holds a title with a number in it, as "Apollo 13"."""
        titles = (item.title[:LONGEST] for item in self._items[:MOST])
        return any(t in text for t in titles if not t.isdecimal() and any(map(str.isdigit, t)))

    def names_candidate(self, key: str) -> bool:
        """Whether the number in a key such as "candidate 8" or "No. 8" may be a candidate's."""
        return counted_by(key) in {Counted.CANDIDATE, Counted.UNSURE}

    def numbered(self, text: str) -> bool:
        """Whether a line is a number, or begins with one."""
        return bare_number(text) is not None or NUMBERED.match(text[:LONGEST]) is not None

    def is_entry(self, text: str) -> bool:
        """Whether a line is numbered, and that number no part of a title such as "12 Monkeys"."""
        if not self.numbered(text):
            return False
        unmarked = _BULLET.sub("", text[:LONGEST], count=1).strip(WRAPPING)
        bare = bare_number(text)
        if bare is not None:
            return bare <= len(self._items) or not self._is_title(unmarked)
        return not (self._is_title(unmarked) or self._begins_numeric(unmarked))

    def _begins_numeric(self, text: str) -> bool:
        """Whether a text begins with a title that begins with a number, whatever follows it."""
        plain = plain_title(text)
        begun = (title for title in self._numeric if plain.startswith(title))
        return any(not plain[len(title) :][:1].isalnum() for title in begun)

    @cached_property
    def _numeric(self) -> list[str]:
        """Titles that begin with a number, but for those that may be a candidate's, as "9"."""
        titles = (plain_title(item.title[:LONGEST]) for item in self._items[:MOST])
        begun = (title for title in titles if title[:1].isdecimal())
        return [t for t in begun if not t.isdecimal() or int(t) > len(self._items)]

    def without_refusals(self, text: str) -> str:
        """Return a text without those titles that would be taken for a refusal."""
        if not declines(text):
            return text
        for title in self._refusing:
            text = re.sub(re.escape(title), " ", text, flags=re.IGNORECASE)
        return text

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

    def called(self, text: str) -> Sequence[int]:
        """Return the candidates whose title a text is, and no more."""
        return self._titles.exact(text) if self._items else ()

    def _is_title(self, text: str) -> bool:
        return bool(self.called(text))

    def holds(self, numbers: Sequence[int]) -> bool:
        """Whether all numbers are candidates', and none comes twice."""
        known = all(number > 0 and number <= (self.candidates or number) for number in numbers)
        return known and len(set(numbers)) == len(numbers)

    def title_in(self, text: str) -> int:
        """Return the candidate whose title a text is, perhaps behind a number; 0 for none."""
        start = NUMBERED.match(text)
        return max(self._find([text, text[start.end() :]] if start else [text]))

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
