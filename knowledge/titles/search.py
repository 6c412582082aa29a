"""Finds items by what people call them: part of a title, with typing errors, in any case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from ...records import Item
from .words import clean, names, words

_EXACT = 100.0
_PART = 99.0
"""Another name of the item, such as its title without the subtitle."""
_LEAST = 70.0
"""Below this likeness a title is another title."""
_SURE = 80.0
_AHEAD = 6.0
"""How much likelier the best title must be than the next to need no question."""
_OF_A_PART = 0.92
_LONGEST = 300
"""Characters that are compared, of what was typed and of a title."""
_FEW_LETTERS = 5
"""Fewer are part of everything."""


@dataclass(frozen=True, slots=True)
class TitleMatch:
    """An item that may be meant.

    Attributes:
        item: The item.
        likeness: Of its title to what was typed, 0 to 100; 100 is the same title.
    """

    item: Item
    likeness: float


class TitleSearch:
    """The titles of a catalogue, held in memory. Searching 10,000 takes some milliseconds.

    Args:
        items: The whole catalogue.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = {item.id: item for item in items}
        self._called: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for item in self._items.values():
            full = " ".join(words(clean(item.title[:_LONGEST])))
            for name in [*names(item)][::-1]:
                if not name.aside:
                    self._called[" ".join(name.words)][item.id] = _PART
            for form in (full, _without_article(full)):
                self._called[form][item.id] = _EXACT
        self._forms = list(self._called)

    def find(self, typed: str, *, count: int = 5) -> list[TitleMatch]:
        """Return the items that may be meant, likeliest first.

        Args:
            typed: What a person calls it.
            count: How many at most.
        """
        wanted = _without_article(" ".join(words(clean(typed[:_LONGEST]))))
        if not wanted:
            return []
        likeness: dict[str, float] = dict(self._called.get(wanted, {}))
        for form, score, _ in process.extract(
            wanted, self._forms, scorer=_likeness, score_cutoff=_LEAST, limit=8 * count
        ):
            for item in self._called[form]:
                likeness[item] = max(likeness.get(item, 0.0), min(score, _PART - 1))
        ranked = sorted(likeness.items(), key=lambda found: (-found[1], found[0]))
        return [TitleMatch(self._items[item], score) for item, score in ranked[:count]]


def settled(matches: list[TitleMatch]) -> Item | None:
    """Return the item that is meant, if there is no doubt.

    Args:
        matches: From `TitleSearch.find`.
    """
    if not matches or matches[0].likeness < _SURE:
        return None
    alone = len(matches) == 1
    if alone or matches[0].likeness == _EXACT > matches[1].likeness:
        return matches[0].item
    return matches[0].item if matches[0].likeness - matches[1].likeness >= _AHEAD else None


def _likeness(typed: str, form: str, **_: object) -> float:
    """Compare as wholes, and at a discount as a part, such as "fellowship of the ring"."""
    whole = fuzz.ratio(typed, form)
    if len(typed) < _FEW_LETTERS or len(typed) > len(form):
        return whole
    return max(whole, _OF_A_PART * fuzz.token_set_ratio(typed, form))


def _without_article(form: str) -> str:
    first, _, rest = form.partition(" ")
    return rest if first in {"the", "a", "an"} and rest else form
