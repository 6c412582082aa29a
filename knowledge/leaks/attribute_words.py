"""The words of a catalogue's attributes, which hints may mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from ...records import AttributeValue, Item
from ..titles.words import clean, words

_MOST_WORDS = 5
"""Most words; a longer text is a description."""
_SHARED = 3
_OFTEN = 300


class AttributeWords:
    """What the attributes of a catalogue are called and hold.

    Args:
        items: The whole catalogue.
        titles: What each item is called, joined, by its id.

    Attributes:
        values: Each attribute and each of its values, words joined.
        common: Words of attributes' names and of values that many items have.
    """

    def __init__(self, items: Iterable[Item], titles: Mapping[str, Collection[str]]) -> None:
        counts: Counter[str] = Counter()
        keys: dict[str, list[str]] = {}
        own: set[str] = set()
        labels: set[str] = set()
        size = 0
        for item in items:
            size += 1
            labels.update(item.attributes)
            for value in _values(item.attributes):
                if value not in keys:
                    keys[value] = words(clean(value))
                counts[value] += 1
                if "".join(keys[value]) in titles[item.id]:
                    own.add(value)
        named = {word for label in labels for word in words(label.replace("_", " "))}
        self.common = {form for word in named for form in (word, f"{word}s", word.rstrip("s"))}
        # A value that is its own item's title, and hardly another's, is the title again.
        self.values = self.common | {
            "".join(key)
            for value, key in keys.items()
            if 0 < len(key) <= _MOST_WORDS and (value not in own or counts[value] > _SHARED)
        }
        often = max(_SHARED, size // _OFTEN)
        self.common |= {w for value, key in keys.items() if counts[value] >= often for w in key}

    def words_of(self, item: Item) -> set[str]:
        """Return the words of an item's values, also as possessives.

        Args:
            item: Any item; it need not be in the catalogue.
        """
        listed = [words(clean(value)) for value in _values(item.attributes)]
        known = [key for key in listed if "".join(key) in self.values]
        return {form for key in known for word in key for form in (word, f"{word}s")}


def _values(attributes: Mapping[str, AttributeValue]) -> Iterator[str]:
    """Yield each value of text; another title of the item is none."""
    for label, value in attributes.items():
        if isinstance(value, int | float) or "title" in label.lower():
            continue
        yield from value.split(", ") if isinstance(value, str) else value
