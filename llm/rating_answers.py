"""Reads a rating and its reasoning: strictly for the reward, tolerantly for serving.

Source of the format: RecZero, arXiv 2510.23077, section 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..records import RatingScale

TAGS: tuple[str, ...] = ("analyze user", "analyze item", "match", "rate")
"""The four steps, in their order."""

_PLAIN_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_MOST_CHARACTERS = 100_000
_LOOSE_TAGS = {
    tag: re.compile(r"<\s{0,9}" + tag.replace(" ", r"[\s_-]{0,9}") + r"\s{0,9}>", re.IGNORECASE)
    for tag in TAGS
}
_ANY_TAG = re.compile(
    r"<\s{0,9}/?\s{0,9}(?:analyze[\s_-]{0,9}(?:user|item)|match|rate)\s{0,9}>", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.,-])\d{1,6}(?:[.,]\d{1,6})?(?!\d|[.,]\d)")
_NAMED = re.compile(
    r"\b(?:rate|rating|stars?|score|prediction)\b[\"'*_:=\s]{0,9}(?:is|of|would be)?"
    r"[\"'*_:=\s]{0,9}(\d{1,6}(?:[.,]\d{1,6})?)(?!\d|[.,]\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RatingAnswer:
    """A model's answer after reading.

    Attributes:
        rating: On the scale, or `None` where none was found.
        analyze_user: What the model made of the user; empty if missing, as are the next two.
        analyze_item: What it made of the item.
        match: How it linked the two.
        valid: Whether the answer keeps the format to the letter.
    """

    rating: float | None
    analyze_user: str
    analyze_item: str
    match: str
    valid: bool


def strict_rating(text: str, scale: RatingScale) -> float | None:
    """Return the rating of an answer that keeps the format to the letter, else `None`.

    All eight tags stand in it exactly once and in order, no step is empty, and the last holds a
    plain number on the scale and nothing else. This is what the reward calls valid.

    Args:
        text: The model's whole answer.
        scale: The ratings that can be given.
    """
    at = 0
    inside = ""
    for tag in TAGS:
        opening, closing = f"<{tag}>", f"</{tag}>"
        if text.count(opening) != 1 or text.count(closing) != 1:
            return None
        start, end = text.find(opening, at), text.find(closing, at)
        if start < 0 or end < start:
            return None
        inside = text[start + len(opening) : end].strip()
        if not inside:
            return None
        at = end + len(closing)
    return _on_scale(inside, scale) if _PLAIN_NUMBER.fullmatch(inside) else None


def read_rating(text: str, scale: RatingScale) -> RatingAnswer:
    """Read whatever a model answered: the steps that are there, and a rating if one is.

    Looks inside the last rate tag, closed or not, then behind a word such as "rating", then takes
    an answer of a single number. A number off the scale is no rating.

    Args:
        text: The model's whole answer; what lies beyond 100,000 characters is not read.
        scale: The ratings that can be given.
    """
    strict = strict_rating(text, scale)
    text = text[:_MOST_CHARACTERS]
    rating = strict if strict is not None else _loose_rating(text, scale)
    parts = {tag: _inside(text, tag) or "" for tag in TAGS}
    return RatingAnswer(
        rating,
        parts["analyze user"],
        parts["analyze item"],
        parts["match"],
        valid=strict is not None,
    )


def _inside(text: str, tag: str) -> str | None:
    """Return what follows the last opening tag, up to any other tag of ours."""
    ends = [found.end() for found in _LOOSE_TAGS[tag].finditer(text)]
    if not ends:
        return None
    closing = _ANY_TAG.search(text, ends[-1])
    return text[ends[-1] : closing.start() if closing else len(text)].strip()


def _loose_rating(text: str, scale: RatingScale) -> float | None:
    inside = _inside(text, "rate")
    if inside:
        found = _NUMBER.search(inside)
        if found and (rating := _on_scale(found[0], scale)) is not None:
            return rating
    for named in reversed(_NAMED.findall(text)):
        if (rating := _on_scale(named, scale)) is not None:
            return rating
    alone = text.strip().strip("*_`\"'. ")
    return _on_scale(alone, scale) if _NUMBER.fullmatch(alone) else None


def _on_scale(text: str, scale: RatingScale) -> float | None:
    rating = float(text.replace(",", "."))
    return rating if scale.holds(rating) else None
