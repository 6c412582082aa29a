"""Reads a rating and its reasoning: strictly for the reward, tolerantly for serving.

Source of the format: RecZero, arXiv 2510.23077, section 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..records import RatingScale
from .structured import AnswerFormat

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
        rating: On the scale, or `None` if there is none.
        analyze_user: The model's text on the user; empty if missing, like the next two.
        analyze_item: Its text on the item.
        match: Its text on how well they fit.
        valid: Whether the answer keeps the format exactly.
    """

    rating: float | None
    analyze_user: str
    analyze_item: str
    match: str
    valid: bool


def strict_rating(text: str, scale: RatingScale) -> float | None:
    """Return the rating of an answer that keeps the format exactly, else `None`.

    All eight tags occur once and in order, no step is empty, and the last one holds a plain number
    on the scale and nothing else. The reward calls such an answer valid.
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
    """Read any answer: the steps that it has, and a rating if there is one.

    Looks inside the last rate tag, closed or not, then after a word such as "rating", then takes
    an answer that is a single number. A number off the scale is ignored, and so is text after the
    first 100,000 characters.
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


def strict_format(scale: RatingScale) -> AnswerFormat:
    """Return the format of answers that `strict_rating` accepts."""
    return AnswerFormat(None, lambda text: strict_rating(text, scale) is not None)


def tolerant_format(scale: RatingScale) -> AnswerFormat:
    """Return the format of answers in which `read_rating` finds a rating."""
    return AnswerFormat(None, lambda text: read_rating(text, scale).rating is not None)


def _inside(text: str, tag: str) -> str | None:
    """Return the text from the last opening tag to the next tag of any step."""
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
