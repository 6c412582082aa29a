"""Reads a rating and its reasoning: strictly for the reward, tolerantly for serving.

Source of the format: RecZero, arXiv 2510.23077, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...records import RatingScale, is_number
from ..structured import AnswerFormat
from ..text.answer_json import decoded_values, opened_value
from ..text.json_values import is_list, is_object, plain_name
from ..text.turns import said_in
from .amounts import amount, leading_amount
from .labels import named_ratings, of_sources
from .limits import placed, shown_scale
from .steps import TAGS, step_text, without_markers, without_steps

_PLAIN_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_MOST_CHARACTERS = 100_000
_LONGEST, _DEEPEST = 300, 3
_ANSWER = re.compile(
    r"<(?:(?:final|predicted|expected|estimated|my)[\s_-]?)?"
    r"(?:rating|score|answer|stars|rate|prediction)>([^<]{1,200})<",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\s?\{([^{}\n]{1,100})\}")
_FINAL_KEYS = (
    *("finalrating", "rating", "predictedrating", "rate", "prediction", "stars"),
    *("expectedrating", "estimatedrating", "ratingprediction", "predictedscore"),
)
_OTHER_KEYS = ("score", "answer")
"""Other keys that may hold the rating, or a remark on it."""
_HIGHEST = ("outof", "scale", "max", "maximum", "maxrating", "ratingscale", "highest")
_OTHER_SCALE = re.compile(
    r"(?:\bscale\b[^\d\n]{0,15}|[(\[])\s?[01]\s?(?:-|\u2013|to|bis)\s?(\d{1,3})(?![\d.,]\d)",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\W{0,9}\d")


@dataclass(frozen=True, slots=True)
class RatingAnswer:
    """A model's answer after reading.

    Attributes:
        rating: The rating on the scale, or `None` if there is none.
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
    return placed(float(inside), scale) if _PLAIN_NUMBER.fullmatch(inside) else None


def read_rating(text: str, scale: RatingScale) -> RatingAnswer:
    """Read any answer: the steps that it has, and a rating if there is one.

    Looks inside the last rate tag, closed or not, then in JSON, then after a word such as "rating",
    then takes an answer that begins with a number, but not the first of a list. These are no
    rating: a number off the scale, two that differ, a range, a number out of another one than the
    highest, and what the steps say about other ratings. Text after the first 100,000 characters is
    ignored.
    """
    strict = strict_rating(text, scale)
    text = text[:_MOST_CHARACTERS]
    rating = strict if strict is not None else _loose_rating(said_in(text), scale)
    parts = {tag: step_text(text, tag) or "" for tag in TAGS}
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


def _loose_rating(text: str, scale: RatingScale) -> float | None:
    rating = _said_rating(text, shown_scale(scale))
    return None if rating is None else placed(rating, scale)


def _said_rating(text: str, scale: RatingScale) -> float | None:
    inside = step_text(text, "rate")
    if inside:
        return amount(inside, scale)
    text = without_steps(text)
    for marked in (_ANSWER, _BOXED):
        if found := marked.findall(text):
            return amount(found[-1], scale)
    values, broken = decoded_values(text, "rating", int(scale.high))
    objects = [value.value for value in values if is_object(value.value)]
    if objects or broken:
        held = (_in_object(value, scale) for value in objects)
        return _only([rating for rating in held if rating is not None])
    if any(float(highest) != scale.high for highest in _OTHER_SCALE.findall(text)):
        return None
    text, begins_list = without_markers(text.strip())
    named, final = named_ratings(text, scale)
    if named or final:
        return _only(final[-1:] or named)
    first, _, _ = text.partition("\n")
    sure = not begins_list and (_DIGIT.match(first) or not of_sources(first))
    return leading_amount(first, scale) if sure else None


def _only(ratings: Sequence[float | None]) -> float | None:
    return ratings[0] if len(set(ratings)) == 1 else None


def _in_object(value: dict[str, Any], scale: RatingScale, depth: int = 0) -> float | None:
    plain = {plain_name(key): opened_value(inner) for key, inner in value.items()}
    if _is_other_scale(plain, scale):
        return None
    held = [key for key in _FINAL_KEYS if plain.get(key) is not None]
    if "finalrating" in held:
        held = held[:1]
    held = held or [key for key in _OTHER_KEYS if plain.get(key) is not None][:1]
    if held:
        return _only([_of_value(plain[key], scale, depth) for key in held])
    inside = [inner for inner in plain.values() if is_object(inner)]
    return (
        _in_object(inside[0], scale, depth + 1) if len(inside) == 1 and depth < _DEEPEST else None
    )


def _of_value(inner: Any, scale: RatingScale, depth: int) -> float | None:
    if is_list(inner) and len(inner) == 1:
        inner = inner[0]
    if is_number(inner):
        return float(inner)
    if isinstance(inner, str):
        return amount(inner, scale)
    if not is_object(inner) or depth >= _DEEPEST:
        return None
    value = inner if depth else {"rating": inner.get("value"), **inner}
    return _in_object(value, scale, depth + 1)


def _is_other_scale(plain: dict[str, Any], scale: RatingScale) -> bool:
    """Whether an object names a highest rating that is not the scale's."""
    named = (str(plain[key]) for key in _HIGHEST if key in plain)
    return any(
        numbers and float(numbers[-1]) != scale.high
        for text in named
        if (numbers := _PLAIN_NUMBER.findall(text[:_LONGEST]))
    )
