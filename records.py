"""The vocabulary that every room shares: items, sessions and reviews.

Item ids are always the data set's own, as text. They are unique within a domain only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

AttributeValue = str | int | float | Sequence[str]
"""What an item's attribute may hold; a sequence of text for genres, directors and the like."""


class Flag(StrEnum):
    """What went wrong on the way to an answer. A failed call adds its `errors.Failure` as well."""

    MODEL_FAILED = "model_failed"
    """The model gave no answer; the fallback did."""
    HINT_DROPPED = "hint_dropped"
    """The model would not answer with the hint, so it was asked without."""
    PROMPT_SHORTENED = "prompt_shortened"
    """The prompt was too long for the model, so it was asked with less of the history and facts."""
    WRONG_FORMAT = "wrong_format"
    """The answer did not have the form that was asked for."""
    MISSING = "missing"
    """The answer named fewer candidates than it was asked for."""
    REPEATED = "repeated"
    """The answer named candidates more than once."""
    INVENTED = "invented"
    """The answer named what is no candidate."""
    REPAIRED = "repaired"
    """A second answer counts."""
    COMPLETED = "completed"
    """The ranking was completed without the model."""
    FALLBACK = "fallback"
    """The rating is a mean, not the model's."""
    RELEASE_SKIPPED = "release_skipped"
    """The active release was trained for another model, prompt or encoder, and did not choose."""
    NO_SESSIONS = "no_sessions"
    """Nothing is known from past sessions: the first stage goes by meaning alone."""
    NOT_LOGGED = "not_logged"
    """The answer could not be stored, so that no feedback can refer to it."""


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


@dataclass(frozen=True, slots=True)
class Review:
    """What one person thought of one item.

    Attributes:
        user: Who wrote it, the data set's own id.
        item: What it is about.
        rating: On the data set's scale.
        text: The review, with its headline first if it has one; may be empty.
        time: Seconds since 1970, or a place in the user's order where no time is known.
    """

    user: str
    item: Item
    rating: float
    text: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class RatingScale:
    """The ratings that can be given.

    Attributes:
        low: The worst rating.
        high: The best rating.
    """

    low: float = 1.0
    high: float = 5.0

    @property
    def width(self) -> float:
        """The largest error that a rating on the scale can have."""
        return self.high - self.low

    def holds(self, rating: float) -> bool:
        """Whether a rating lies on the scale; NaN does not."""
        return self.low <= rating <= self.high


@dataclass(frozen=True, slots=True)
class RatingTask:
    """What a rating is to be predicted from (arXiv 2510.23077, section 3).

    Attributes:
        history: The user's earlier reviews, oldest first.
        item: What the user is about to rate.
        item_reviews: Other people's reviews of the item, latest last.
        user_mean: Mean of the user's earlier ratings, or `None` without any.
        item_mean: Mean of other people's ratings of the item, or `None` without any.
        scale: The ratings that can be given.
    """

    history: Sequence[Review]
    item: Item
    item_reviews: Sequence[Review] = ()
    user_mean: float | None = None
    item_mean: float | None = None
    scale: RatingScale = field(default_factory=RatingScale)
