"""What a recommended item has in common with what was chosen before, in plain facts."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import AttributeValue, Item

_MOST = 3


def reasons(item: Item, chosen: Sequence[Item]) -> list[str]:
    """Name the attributes that an item shares with chosen items, the most recent first.

    Numbers are left out: the same year or length is hardly a reason.

    Args:
        item: What is recommended.
        chosen: Oldest first.

    Returns:
        At most 3, such as "director: Ridley Scott, as in Alien".
    """
    found: dict[str, str] = {}
    for other in reversed(chosen):
        if other.id == item.id:
            continue
        for name, value in item.attributes.items():
            theirs = _values(other.attributes.get(name, ()))
            shared = [word for word in _values(value) if word in theirs]
            if shared:
                found.setdefault(name, f"{name}: {', '.join(shared)}, as in {other.title}")
    # The fewer items could share it, the better the reason: lists are kinds, texts are names.
    ordered = sorted(found, key=lambda name: not isinstance(item.attributes[name], str))
    return [found[name] for name in ordered[:_MOST]]


def _values(value: AttributeValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [] if isinstance(value, int | float) else list(value)
