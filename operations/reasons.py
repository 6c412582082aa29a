"""What a recommended item has in common with what was chosen before, in plain facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..records import AttributeValue, Item

_Facts = Mapping[str, Sequence[str]]
"""The words of each attribute."""

_MOST = 2
_COMMON = 0.6
"""Facts that more of the listed items share say little, and give way to other facts."""


class Reasons:
    """Facts for each item of one answer; what few items share says more than what all share.

    Args:
        listed: The recommended items.
        chosen: What was chosen before, oldest first.
    """

    def __init__(self, listed: Sequence[Item], chosen: Sequence[Item]) -> None:
        self._chosen = [
            (item, {name: _values(value) for name, value in item.attributes.items()})
            for item in reversed(chosen)
        ]
        self._count = len(listed)
        self._shared = Counter(
            (name, word)
            for item in listed
            for name, value in item.attributes.items()
            for word in _values(value)
        )

    def of(self, item: Item) -> list[str]:
        """Name the attributes that an item shares with the chosen ones, the most recent first.

        Numbers are left out: the same year or length is hardly a reason.

        Returns:
            Such as "like Alien: director Ridley Scott, genres Horror, Science Fiction"; one entry
            for each chosen item, no attribute twice.
        """
        return self._within(item, int(_COMMON * self._count)) or self._within(item, self._count)

    def _within(self, item: Item, most: int) -> list[str]:
        told: set[str] = set()
        found: list[str] = []
        mine = {name: _values(value) for name, value in item.attributes.items()}
        for other, theirs in self._chosen:
            facts = [] if other.id == item.id else self._facts(mine, theirs, told, most)
            if facts:
                found.append(f"like {other.title}: {', '.join(facts)}")
        return found

    def _facts(self, mine: _Facts, theirs: _Facts, told: set[str], most: int) -> list[str]:
        shared: list[tuple[int, str, str]] = []
        for name, values in mine.items():
            others = theirs.get(name, ())
            words = [word for word in values if word in others and self._shared[name, word] <= most]
            if words and name not in told:
                count = min(self._shared[name, word] for word in words)
                shared.append((count, name, f"{name} {', '.join(words)}"))
        shared.sort()
        kept = shared[: _MOST - len(told)]
        told.update(name for _, name, _ in kept)
        return [fact for _, _, fact in kept]


def _values(value: AttributeValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [] if isinstance(value, int | float) else list(value)
