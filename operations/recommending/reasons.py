"""What a recommended item has in common with what was chosen before, in plain facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ...records import AttributeValue, Item

_MOST = 2
_RECENT = 100
"""Chosen items that may be named: an older one is hardly a reason."""
_COMMON = 0.6
"""Facts that more of the listed items share say little, so other facts go first."""


def reasons_for(listed: Sequence[Item], chosen: Sequence[Item]) -> list[list[str]]:
    """Return the reasons for each item of an answer; see `Reasons`. May take long: use a thread."""
    reasons = Reasons(listed, chosen)
    return [reasons.of(item) for item in listed]


class Reasons:
    """Facts for each item of one answer; what few items share says more than what all share.

    Args:
        listed: The recommended items.
        chosen: What was chosen before, oldest first.
    """

    def __init__(self, listed: Sequence[Item], chosen: Sequence[Item]) -> None:
        recent = {item.id: item for item in reversed(chosen)}
        self._chosen = [
            (item, {name: frozenset(_values(value)) for name, value in item.attributes.items()})
            for item in [*recent.values()][:_RECENT]
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
        rest = {
            name: words
            for name, value in item.attributes.items()
            if (words := [word for word in _values(value) if self._shared[name, word] <= most])
        }
        left = _MOST
        found: list[str] = []
        for other, theirs in self._chosen:
            if not left or not rest:
                break
            named = [] if other.id == item.id else self._facts(rest, theirs)[:left]
            if named:
                facts = (f"{name} {', '.join(words)}" for name, words in named)
                found.append(f"like {other.title}: {', '.join(facts)}")
            left -= len(named)
            for name, _ in named:
                del rest[name]
        return found

    def _facts(
        self, mine: Mapping[str, Sequence[str]], theirs: Mapping[str, Collection[str]]
    ) -> list[tuple[str, list[str]]]:
        """Return the words that two items share by attribute, the rarest first."""
        shared = {
            name: both
            for name, words in mine.items()
            if name in theirs and (both := [word for word in words if word in theirs[name]])
        }
        if not shared:
            return []
        rarest = {name: min(self._shared[name, word] for word in shared[name]) for name in shared}
        return sorted(shared.items(), key=lambda fact: (rarest[fact[0]], fact[0]))


def _values(value: AttributeValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [] if isinstance(value, int | float) else list(value)
