"""What of a conversation is remembered: opinions, lists that were shown, and open questions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .lists import Item
from .said import Said
from .verdicts import Verdict

_FACT = re.compile(r"[.,]\s+")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person thinks of an item.

    Attributes:
        item: As it was found.
        verdict: Theirs.
    """

    item: Item
    verdict: Verdict

    def shared(self, item: Item) -> int:
        """Return how many facts it has in common with another item.

        Args:
            item: The other.
        """
        mine, theirs = (set(_FACT.split(i.get("about", ""))) for i in (self.item, item))
        return len((mine & theirs) - {""})


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A list that was shown, which awaits feedback.

    Attributes:
        id: For the feedback.
        items: As shown, best first.
    """

    id: str
    items: Sequence[Item]

    def concerns(self, said: Said) -> bool:
        """Whether a message says what was picked of it; to take something else asks for more.

        Args:
            said: The person's message.
        """
        if said.none or not said.picks:
            return said.none
        return said.chosen(self.items) is not None or not said.more

    def item(self, said: Said) -> str | None:
        """Return what was picked: a listed item's id, or a title in the person's words.

        Args:
            said: The person's message.
        """
        listed = said.chosen(self.items)
        return listed if listed is not None or said.place is not None else said.picked_title


@dataclass
class Found:
    """What `find_titles` found.

    Args:
        titles: As it answered.
    """

    titles: Sequence[Mapping[str, Any]]
    items: dict[str, Item] = field(default_factory=dict[str, Item])
    """By what was typed."""
    ambiguous: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    unknown: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    def __post_init__(self) -> None:
        """Sort the titles by what became of them."""
        typed = [title["typed"] for title in self.titles]
        wholes = {t for t in typed if sum(other in t for other in typed if other != t) > 1}
        known = [t for t in self.titles if t["typed"] in wholes and t["status"] == "found"]
        parts = {t for t in typed for whole in known if t != whole["typed"] and t in whole["typed"]}
        for title in self.titles:
            if title["typed"] in parts or (title["typed"] in wholes and title not in known):
                continue
            if title["status"] == "found":
                self.items[title["typed"]] = title["items"][0]
            elif title["status"] == "ambiguous":
                self.ambiguous.append(title)
            else:
                self.unknown.append(title)


@dataclass(frozen=True, slots=True)
class Question:
    """An ambiguous title that the person was asked about.

    Attributes:
        items: Those that it could be.
        verdict: What they think of it; `None` if they wanted to know how they would like it.
        settled: The other items of that message.
        waiting: Its other ambiguous titles.
    """

    items: Sequence[Item]
    verdict: Verdict | None
    settled: Sequence[Item]
    waiting: Sequence[str]

    def item(self, said: Said) -> Item | None:
        """Return the item that is meant.

        Args:
            said: The person's answer.
        """
        chosen = said.chosen(self.items)
        return next((item for item in self.items if item["id"] == chosen), None)
