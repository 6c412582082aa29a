"""The hints that a release chooses from, where its training did not try all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .hint_store.hints import Hint

_STATS = ("trials", "mean_gain", "gain_error", "helped", "harmed")


@dataclass(frozen=True, slots=True)
class HintChoice:
    """The hints that a release was trained on, and any that came later.

    Attributes:
        trained: Those that it was trained on, with the stats that it was trained with.
        newest: The newest hint of the domain at that time. Of the earlier hints, it chooses only
            those that it was trained on.
    """

    trained: Sequence[Hint]
    newest: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as the `config` of a release keeps it."""
        stats = {
            str(hint.id): {name: getattr(hint, name) for name in _STATS} for hint in self.trained
        }
        return {"newest": self.newest, "stats": stats}


def of_choice(hints: Sequence[Hint], choice: Mapping[str, Any]) -> list[Hint]:
    """Return those of the hints that a release chooses from, with the stats of its training.

    Args:
        choice: From `HintChoice.as_dict`.
    """
    stats: Mapping[str, Mapping[str, Any]] = choice["stats"]
    return [
        replace(hint, **stats.get(str(hint.id), {}))
        for hint in hints
        if is_of_choice(hint.id, choice)
    ]


def is_of_choice(hint: int, choice: Mapping[str, Any]) -> bool:
    """Return whether a release may choose a hint.

    Args:
        choice: From `HintChoice.as_dict`.
    """
    return str(hint) in choice["stats"] or hint > choice["newest"]
