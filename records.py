"""The vocabulary that all packages share: items, sessions and reviews.

Item ids are always the data set's own, as text. They are unique within a domain only.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeGuard

AttributeValue = str | int | float | Sequence[str]
"""What an item's attribute may hold; a sequence of text for genres, directors and the like."""

ONLY_DOMAIN_LOG = "re2llm.only_domain"
"""The logger that says, at level DEBUG, which domain was taken for a request without a name."""


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
    WITHDRAWN = "withdrawn"
    """Candidates of the request were withdrawn from the catalogue, and were left out."""
    NO_LOGPROBS = "no_logprobs"
    """The server gives no log-probabilities, so a list was asked for in place of a letter."""
    NOT_LOGGED = "not_logged"
    """The answer could not be stored, so that no feedback can refer to it."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a finite number that a float can hold, and no truth value.

    Args:
        value: Anything, such as what JSON holds: its whole numbers may have any length.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def without_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which no file, database or request can hold, by U+FFFD.

    JSON can hold them as escapes: many programs cut a text in the middle of an emoji.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@dataclass(frozen=True)
class Item:
    """One thing that can be recommended.

    Attributes:
        id: The data set's own id, unique in its domain.
        title: The name that people know it by.
        attributes: Descriptive facts by name, such as `year`, `genres`, `director`.
        named: Whether that title is known; else the id stands for it.
    """

    id: str
    title: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])
    named: bool = field(default=True, compare=False)

    @property
    def text(self) -> str:
        """The item as one line, title first: what a text encoder reads."""
        # Sorted, because a database keeps an object's keys in an order of its own.
        facts = [spoken(value) for _, value in sorted(self.attributes.items())]
        return ". ".join([self.title, *facts])

    # Every request that may show an item compares these with a history's.

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        """The attributes that are numbers."""
        return {n: v for n, v in self.attributes.items() if isinstance(v, int | float)}

    @cached_property
    def texts(self) -> Sequence[str]:
        """The attributes that are text, as `textual_values` lists them."""
        # Text, whose hash Python keeps. It has no zero characters: the database refuses them.
        return [f"{name}\0{value}" for name, value in textual_values(self.attributes)]


def textual_values(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the values that are text, each with its attribute's name.

    Args:
        attributes: Of an item; of several values, each counts.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in attributes.items():
        if isinstance(value, str):
            pairs.append((name, value))
        elif isinstance(value, list | tuple):  # a check for `Sequence` takes ten times as long
            pairs.extend([(name, str(part)) for part in value])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return pairs


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


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number of things as a person would: `1 session`, `1,200 sessions`.

    Args:
        number: How many there are, 0 or more.
        one: The word for a single one, with its verb if one follows: `hint is`.
        many: The word for any other number; `one` with an s if not given.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@dataclass(frozen=True, slots=True)
class Session:
    """What one anonymous person chose, in time order, and what came next.

    Attributes:
        history: Item ids, oldest first, at least one.
        target: The item that came next, or `None` where it is unknown.
        candidates: The items to rank, or `None` where they are to be retrieved or sampled.
        repeat: In an evaluation, how many of the same history and target come before it. Random
            draws differ by it; nothing else does.
    """

    history: tuple[str, ...]
    target: str | None = None
    candidates: tuple[str, ...] | None = None
    repeat: int = field(default=0, compare=False, kw_only=True)


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

    def largest_error(self, truth: float) -> float:
        """Return the error of the rating that is furthest from a true one."""
        return max(truth - self.low, self.high - truth)

    def nearest(self, rating: float) -> float:
        """Return the rating on the scale that is nearest to a number."""
        return min(max(rating, self.low), self.high)


@dataclass(frozen=True, slots=True)
class RatingTask:
    """What a rating is predicted from (arXiv 2510.23077, section 3).

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
