"""How much a rating prompt shows, and in which form; and how ratings are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...records import RatingScale

PromptStyle = Literal["document", "short"]
"""`document` is JSON with review texts; `short` is lines for ratings without texts."""


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """How much of the data the prompt shows.

    Attributes:
        history: The user's most recent reviews; 10 in the paper.
        item_reviews: Other people's most recent reviews of the item; 10 in the paper.
        review_characters: Most characters of a review; a longer one is cut and ends in "…"; 0 shows
            none.
        title_characters: Most characters of a title or attribute, cut in the same way.
        style: The form. The short one shows no reviews of others, and at most 30 characters of a
            title or an attribute.
    """

    history: int = 10
    item_reviews: int = 10
    review_characters: int = 600
    title_characters: int = 200
    style: PromptStyle = "document"


def shown_scale(scale: RatingScale) -> RatingScale:
    """Return a scale as prompts show it."""
    return RatingScale(round(scale.low, 2), round(scale.high, 2))


def same_shown(one: float | None, other: float) -> bool:
    """Whether two ratings are the same as prompts show them; `None` is like no rating."""
    return one is not None and round(one, 2) == round(other, 2)


def placed(rating: float, scale: RatingScale) -> float | None:
    """Return a rating as it is on the scale, `None` if it is off it, also as prompts show it."""
    if scale.holds(rating) or shown_scale(scale).holds(rating):
        return scale.nearest(rating)
    return None


def shown_number(value: float) -> int | float:
    """Return a number as prompts show it: with up to two decimals, and whole where it is whole."""
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded


def written(rating: float) -> str:
    """Write a rating as the prompt does, with up to two decimals: `4` and `4.5`, never `4.0`."""
    return str(shown_number(rating))
