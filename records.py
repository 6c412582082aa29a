"""The vocabulary that every room shares: items and sessions.

Item ids are always the data set's own, as text. They are unique within a domain only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

AttributeValue = str | int | float | Sequence[str]
"""What an item's attribute may hold; a sequence of text for genres, directors and the like."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be recommended.

    Attributes:
        id: The data set's own id, unique in its domain.
        title: The name that people know it by.
        attributes: Descriptive facts by name, such as `year`, `genres`, `director`.
    """

    id: str
    title: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])

    @property
    def text(self) -> str:
        """The item as one line, title first: what a text encoder reads."""
        # Sorted, because a database keeps an object's keys in an order of its own.
        facts = [spoken(value) for _, value in sorted(self.attributes.items())]
        return ". ".join([self.title, *facts])


def spoken(value: AttributeValue) -> str:
    """Write an attribute's value as a person would.

    Args:
        value: A single value, or several.
    """
    return (
        value
        if isinstance(value, str)
        else (str(value) if isinstance(value, int | float) else ", ".join(value))
    )


@dataclass(frozen=True, slots=True)
class Session:
    """What one anonymous person chose, in time order, and what came next.

    Attributes:
        history: Item ids, oldest first, at least one.
        target: The item that came next, or `None` where it is unknown.
        candidates: The items to rank, or `None` where they are to be retrieved or sampled.
    """

    history: tuple[str, ...]
    target: str | None = None
    candidates: tuple[str, ...] | None = None
