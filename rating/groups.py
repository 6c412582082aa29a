"""Groups of ratings to predict: how much is known of their users and items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence

from .splits import RatingCase, ReviewSplit

_HISTORY = (1, 10, 50, 200)
"""The least number of ratings in the groups of users."""
_ITEM = (0, 1, 5, 50)
"""The least number of ratings in the groups of items."""


def case_groups(
    split: ReviewSplit,
    cases: Sequence[RatingCase],
    trained_on: Container[str] | None = None,
) -> Mapping[str, list[bool]]:
    """Return groups by name, and which cases belong to each; groups overlap.

    There are users that training has and has not seen, users by the length of their history, and
    items by their number of known ratings, none for a cold item.

    Args:
        trained_on: The users who were trained on; `None` takes those of the split.
    """
    if trained_on is None:
        trained_on = {case.review.user for case in split.train}
    known = Counter(review.item.id for review in split.known)
    seen = [case.review.user in trained_on for case in cases]
    return {
        "users trained on": seen,
        "users not trained on": [not each for each in seen],
        **_by_size("history", _HISTORY, [len(case.history) for case in cases]),
        **_by_size("item", _ITEM, [known[case.review.item.id] for case in cases]),
    }


def _by_size(what: str, least: Sequence[int], sizes: Sequence[int]) -> dict[str, list[bool]]:
    groups: dict[str, list[bool]] = {}
    for low, high in zip(least, [*least[1:], None], strict=True):
        if high is None:
            name = f"{what} of {low} or more"
        else:
            name = f"{what} of {low}" if high == low + 1 else f"{what} of {low} to {high - 1}"
        groups[name] = [low <= size and (high is None or size < high) for size in sizes]
    return groups
