"""All titles of a catalogue, to be looked up word by word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

from rapidfuzz import fuzz

from ...records import Item
from ..titles.words import Name, clean, names, numbered, words
from .attribute_words import AttributeWords
from .english import english_words, is_unknown
from .vocabulary import TOPIC_NAMES, is_advice

MOST_WORDS = 12
"""Longer titles are known by this many of their first words."""

_SHARED_ASIDE = 3
"""A subtitle or bracket of more items than this is an edition, not a name."""
_FUZZY_LETTERS = 14
_FUZZY_RATIO = 88
_MOST_SHARING = 300


class TitleIndex:
    """What the items of a catalogue are called, and which words say nothing in it.

    Args:
        items: The whole catalogue.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = {item.id: item for item in items}
        self._exact: dict[str, str] = {}
        self._names: list[tuple[str, int, str]] = []
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        english_words()  # read now, so that the first hint does not wait
        called = {item.id: list(dict.fromkeys(names(item))) for item in self._items.values()}
        aside = Counter(name.words for all_names in called.values() for name in all_names)
        self._editions = {gram for gram, count in aside.items() if count > _SHARED_ASIDE}
        own = {
            key: {"".join(name.words) for name in all_names if not name.aside}
            for key, all_names in called.items()
        }
        self._facts = AttributeWords(self._items.values(), own)
        self._count_words()
        for key, all_names in called.items():
            for name in all_names:
                if not self.is_edition(name):
                    self._add(name, self._items[key].title)

    def names(self, item: Item) -> list[Name]:
        """Return what an item is called, without names of mere editions.

        Args:
            item: Any item; it need not be in this catalogue.
        """
        known = names(self._items.get(item.id, item))
        return [
            name for name in dict.fromkeys(chain(known, names(item))) if not self.is_edition(name)
        ]

    def words_of_values(self, item: Item) -> set[str]:
        """Return the words of an item's attributes, which may be in its title too.

        Args:
            item: Any item; it need not be in this catalogue.
        """
        return self._facts.words_of(self._items.get(item.id, item))

    def is_edition(self, name: Name) -> bool:
        """Whether a part of a title is shared by so many that it names none: "Jewel Case".

        Args:
            name: A name from `titles.names`.
        """
        return name.aside and name.words in self._editions

    def is_ordinary(self, word: str) -> bool:
        """Whether a word says nothing about which item is meant.

        Args:
            word: Folded.
        """
        return self.is_common(word) or is_advice(word) or word.isdecimal()

    def is_common(self, word: str) -> bool:
        """Whether a word is in many titles, or in values that many items have.

        Args:
            word: Folded.
        """
        return word in self._common or word in self._facts.common

    def is_value(self, key: str) -> bool:
        """Whether hints may mention this: an attribute's value, or a topic of that name.

        Args:
            key: Folded words, joined.
        """
        return key in self._facts.values or key in TOPIC_NAMES

    def is_distinctive(self, gram: Sequence[str]) -> bool:
        """Whether few titles hold these words in a row.

        Args:
            gram: Folded words.
        """
        return any(self._pairs[pair] <= self._most_pairs for pair in pairwise(gram))

    def title(self, key: str) -> str | None:
        """Return the title that is called exactly so.

        Args:
            key: Folded words, joined, with or without digits for numerals.
        """
        return self._exact.get(key)

    def similar(self, keys: Sequence[str]) -> Iterator[str]:
        """Yield long titles that these words hold with a slip of the pen.

        Args:
            keys: A hint's folded words.
        """
        strange = [not self.is_ordinary(key) for key in keys]
        hits = Counter(
            number
            for key, odd in zip(keys, strange, strict=True)
            if odd and len(places := self._by_word.get(key, ())) <= _MOST_SHARING
            for number in places
        )
        for number, count in hits.items():
            joined, size, title = self._names[number]
            if count * 2 < size - 1:
                continue
            for start, stop in windows(len(keys), size):
                # A slip leaves a word that is none, or the other words as they were.
                slip = count > 1 or any(is_unknown(key) for key in keys[start:stop])
                if (
                    slip
                    and any(strange[start:stop])
                    and (fuzz.ratio("".join(keys[start:stop]), joined, score_cutoff=_FUZZY_RATIO))
                ):
                    yield title

    def _count_words(self) -> None:
        listed = [words(clean(item.title)) for item in self._items.values()]
        found = Counter(word for title in listed for word in set(title))
        often = max(30, len(self._items) // 200)
        self._common = {word for word, count in found.items() if count >= often}
        self._pairs = Counter(pair for title in listed for pair in set(pairwise(title)))
        self._most_pairs = max(20, len(self._items) // 400)

    def _add(self, name: Name, title: str) -> None:
        first = name.words[:MOST_WORDS]
        joined = "".join(first)
        if joined in self._exact:
            return
        self._exact[joined] = title
        if len(first) > 1:
            self._exact.setdefault(numbered(first), title)
            if len(joined) >= _FUZZY_LETTERS:
                for word in set(first):
                    self._by_word[word].append(len(self._names))
                self._names.append((joined, len(first), title))


def windows(length: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of about a size, as start and stop.

    Args:
        size: A stretch's size; one more or less also counts.
    """
    for wide in range(max(1, size - 1), min(size + 1, length) + 1):
        for start in range(length - wide + 1):
            yield start, start + wide
