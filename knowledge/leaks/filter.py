"""Refuses hints that name an item: a hint must hold for people and items not yet seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from rapidfuzz import fuzz

from ...records import Item
from ..titles.words import numbered
from .disguise import hidden_word, respelt, undisguised
from .english import is_unknown
from .ids import find_id
from .naming import is_name
from .reading import Reading
from .title_index import MOST_WORDS, TitleIndex, windows
from .vocabulary import FUNCTION_WORDS

_LONGEST = 1_000
_FUZZY_LETTERS = 6
_FUZZY_RATIO = 85
_PAIR = 2
_SHORTEST_PART = 3
_PHRASE = 4


class LeakFilter:
    """Knows every title of a catalogue.

    A title counts as named if its words are distinctive or if they are written as a name: in
    quotes, with capitals that grammar does not ask for, or after "films like". The target must
    not show at all: no part of its title that tells it from others, and nothing close to it.
    Attributes may be spoken of.

    Args:
        items: The whole catalogue.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._index = TitleIndex(items)

    def leak(
        self, hint: str, *, target: Item | None = None, ids: Collection[str] = ()
    ) -> str | None:
        """Return why a hint must be refused, or `None`.

        Args:
            target: The item that the model has been shown.
        """
        if len(hint) > _LONGEST:
            return f"It is longer than {_LONGEST} characters."
        reading = Reading(hint, self._index)
        shown = [*ids, target.id] if target else ids
        item = find_id(reading.text, shown)
        if item is not None:
            return f"It points at item {item}."
        reason = self._named(reading, target)
        for text in undisguised(reading.text):
            reason = reason or self._named(Reading(text, self._index), target)
        word = None if reason else hidden_word(hint, reading)
        return reason if word is None else f"It hides a word: {word!r}."

    def _named(self, reading: Reading, target: Item | None) -> str | None:
        if target is not None:
            part = next(self._of_target(reading, target), None)
            if part is not None:
                return f"It gives the chosen item away: {part!r}."
        title = next(self._of_catalogue(reading), None) or respelt(reading)
        return None if title is None else f"It names an item: {title!r}."

    def _of_catalogue(self, reading: Reading) -> Iterator[str]:
        for start, stop in reading.stretches():
            for form in reading.forms(start, stop):
                title = self._index.title(form)
                if title is not None and is_name(reading, start, stop):
                    yield title
        yield from self._index.similar(reading.keys)

    def _of_target(self, reading: Reading, target: Item) -> Iterator[str]:
        grams: dict[str, bool] = {}
        whole: list[tuple[int, str]] = []
        allowed = self._index.words_of_values(target)
        for name in self._index.names(target):
            words = name.words[:MOST_WORDS]
            strange = [
                word for word in words if word not in allowed and not self._index.is_ordinary(word)
            ]
            if strange and len("".join(words)) >= _FUZZY_LETTERS:
                whole.append((len(words), "".join(words)))
            for key, sure in self._grams(words, strange):
                grams[key] = grams.get(key, False) or sure
        for start, stop in reading.stretches():
            if reading.is_value(start, stop):
                continue
            for form in reading.forms(start, stop):
                sure = grams.get(form)
                if sure or (sure is False and reading.is_capitalised(start, stop)):
                    yield " ".join(reading.keys[start:stop])
        yield from _close(reading, whole)

    def _grams(self, words: tuple[str, ...], strange: list[str]) -> Iterator[tuple[str, bool]]:
        """Yield the parts of a title that betray it, and whether they do without a capital."""
        for start in range(len(words)):
            for stop in range(start + 1, len(words) + 1):
                gram = words[start:stop]
                odd = [word for word in gram if word in strange]
                content = sum(word not in FUNCTION_WORDS for word in gram)
                if len(gram) == len(words):
                    sure = bool(odd) or content > 1 or (content > 0 and len(gram) > _PAIR)
                elif len(gram) == 1:
                    if not odd or len(gram[0]) < _SHORTEST_PART:
                        continue
                    sure = len(set(strange)) == 1 or is_unknown(gram[0])
                else:
                    if max(map(len, gram)) < _SHORTEST_PART:
                        continue
                    if content < _PAIR or not self._index.is_distinctive(gram):
                        continue
                    if not odd and len(gram) < _PHRASE:
                        continue
                    sure = True
                yield "".join(gram), sure
                if len(gram) > 1:
                    yield numbered(gram), sure


def _close(reading: Reading, whole: list[tuple[int, str]]) -> Iterator[str]:
    """Yield what resembles a title in full."""
    for size, joined in whole:
        for start, stop in windows(len(reading.keys), size):
            if reading.strange(start, stop) and fuzz.ratio(
                "".join(reading.keys[start:stop]), joined, score_cutoff=_FUZZY_RATIO
            ):
                yield " ".join(reading.keys[start:stop])
