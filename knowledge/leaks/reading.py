"""Reads a hint: its words, which of them are ordinary, and which capitals mean something."""

from __future__ import annotations

from collections.abc import Iterator

from ..titles.words import Token, clean, numbered, tokenise
from .title_index import MOST_WORDS, TitleIndex
from .vocabulary import CAPITALISED, FUNCTION_WORDS

_VALUE_WORDS = 5


class Reading:
    """A hint's words and what is known about them.

    Attributes:
        text: The hint, cleaned.
        tokens: Its words.
        keys: Its words, folded.
        index: The catalogue's index.

    Args:
        hint: The hint as a person wrote it.
        index: The catalogue's index.
    """

    def __init__(self, hint: str, index: TitleIndex) -> None:
        self.index = index
        self.text = clean(hint)
        self.tokens: list[Token] = tokenise(self.text)
        self.keys = [token.key for token in self.tokens]
        self._digits = [numbered([key]) for key in self.keys]
        self._is_value = [False] * len(self.tokens)
        for start, stop in self.stretches(_VALUE_WORDS):
            if index.is_value("".join(self.keys[start:stop])):
                self._is_value[start:stop] = [True] * (stop - start)
        self._ordinary = [index.is_ordinary(key) for key in self.keys]

    def stretches(self, longest: int = MOST_WORDS) -> Iterator[tuple[int, int]]:
        """Yield every stretch of words as start and stop.

        Args:
            longest: The longest stretch, in words.
        """
        count = len(self.tokens)
        for start in range(count):
            for stop in range(start + 1, min(start + longest, count) + 1):
                yield start, stop

    def forms(self, start: int, stop: int) -> Iterator[str]:
        """Yield a stretch's words joined, also with digits for numerals and without a final 's.

        Args:
            start: First word.
            stop: Behind the last word.
        """
        joined = "".join(self.keys[start:stop])
        yield joined
        if stop - start > 1:
            digits = "".join(self._digits[start:stop])
            if digits != joined:
                yield digits
        if self.tokens[stop - 1].possessive:
            yield joined[:-1]

    def is_value(self, start: int, stop: int) -> bool:
        """Whether a stretch is made of attribute values, which hints may mention.

        Args:
            start: First word.
            stop: Behind the last word.
        """
        return all(self._is_value[start:stop])

    def strange(self, start: int, stop: int) -> list[str]:
        """Return the words of a stretch that ordinary advice does not use.

        Args:
            start: First word.
            stop: Behind the last word.
        """
        return [
            self.keys[place]
            for place in range(start, stop)
            if not self._ordinary[place] and not self._is_value[place]
        ]

    def is_capitalised(self, start: int, stop: int) -> bool:
        """Whether a stretch has capitals that neither grammar nor the hint's style explain.

        Args:
            start: First word.
            stop: Behind the last word.
        """
        worded = [p for p in range(start, stop) if not self.keys[p].isdecimal()]
        content = [place for place in worded if self.keys[place] not in FUNCTION_WORDS]
        places = [
            place
            for place in content or worded[:1] + worded[-1:]
            if not (self.tokens[place].opens and place == start)
        ]
        if not all(self.tokens[place].capital for place in places):
            return False
        if all(self._needs_capital(place) for place in places):
            return False
        if not self.strange(start, stop) and self._is_inside_a_name(start, stop):
            return False
        outside = [
            token.capital
            for place, token in enumerate(self.tokens)
            if not start <= place < stop
            and not token.opens
            and self._ordinary[place]
            and token.key not in FUNCTION_WORDS
            and not token.key.isdecimal()
            and not self._needs_capital(place)
        ]
        return not (sum(outside) > 1 and sum(outside) * 2 > len(outside))

    def _needs_capital(self, place: int) -> bool:
        return self._is_value[place] or self.keys[place] in CAPITALISED

    def _is_inside_a_name(self, start: int, stop: int) -> bool:
        """Whether capitals go on beside the stretch, as around "War" in "World War II"."""
        pairs = [(start - 1, start, start - 1), (stop - 1, stop, stop)]
        return any(
            left >= 0
            and right < len(self.tokens)
            and self.tokens[other].capital
            and not self.tokens[other].opens
            and self.keys[other] not in FUNCTION_WORDS
            and not self.tokens[left].possessive
            and self.text[self.tokens[left].end : self.tokens[right].start] == " "
            for left, right, other in pairs
        )
