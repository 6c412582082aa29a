"""Predicts a rating from the numbers in the prompt, and words the four steps by template.

It stands in for a teacher where no chat model is at hand: its traces teach the format and how to
read the numbers, not the language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from ...records import RatingScale
from ..ratings.lines import read_lines
from ..ratings.prompt import written
from ..text.json_values import is_list, is_object
from .reading import is_number, json_objects
from .short_rating import rate_short

_TRUTH = re.compile(r"<rate>\s*(\d+(?:\.\d+)?)\s*</rate>")
_CAUTION = 3.0
"""Other people's mean rating counts as n / (n + caution), n being the number of those reviews."""
_TITLE_CHARACTERS = 25
_POINT_CHARACTERS = 50
_KNOWN_OF_OTHERS = 0.5
"""The share of the way from the user's mean to the item's that a well-known item moves a rating."""


def rating_document(messages: Sequence[BaseMessage]) -> dict[str, Any] | None:
    """Return the document of a rating prompt, or `None` if the messages hold none."""
    for message in messages:
        if message.type == "human":
            if (lines := read_lines(message.text)) is not None:
                return lines
            for value in json_objects(message.text):
                if is_object(value.get("user")) and is_object(value.get("item")):
                    return value
    return None


def rate(document: Mapping[str, Any], messages: Sequence[BaseMessage]) -> str:
    """Return the four steps with a rating; with the true one where the last message tells it.

    Args:
        document: A document from `rating_document`.
    """
    given = _TRUTH.search(messages[-1].text) if len(messages) > 1 else None
    truth = float(given[1]) if given else None
    if document.get("style") == "short":
        return rate_short(document, truth)
    scale = _scale(document.get("scale"))
    user, item = document["user"], document["item"]
    past = [float(review["rating"]) for review in _reviews(user)]
    others = [(float(r["rating"]), str(r.get("review", ""))) for r in _reviews(item)]
    usual = _figure(user, past)
    general = _figure(item, [rating for rating, _ in others])
    predicted = _predict(usual, general, len(others), past, scale)
    rating = predicted if truth is None else truth
    return "\n".join(
        f"<{tag}>{text}</{tag}>"
        for tag, text in (
            ("analyze user", _about_user(past, usual, scale)),
            ("analyze item", _about_item(_title(item), others)),
            ("match", _about_match(usual, general, rating)),
            ("rate", written(rating)),
        )
    )


def _predict(
    usual: float | None,
    general: float | None,
    reviews: int,
    past: Sequence[float],
    scale: RatingScale,
) -> float:
    if usual is None:
        usual = (scale.low + scale.high) / 2 if general is None else general
    if general is not None:
        usual += _KNOWN_OF_OTHERS * (general - usual) * reviews / (reviews + _CAUTION)
    step = 1.0 if all(rating == int(rating) for rating in past) else 0.5
    return min(max(round(usual / step) * step, scale.low), scale.high)


def _about_user(past: Sequence[float], usual: float | None, scale: RatingScale) -> str:
    if not past or usual is None:
        return "Nothing is known of this user."
    ratings = ", ".join(written(rating) for rating in past)
    manner = "generous" if usual > (scale.low + scale.high) / 2 else "strict"
    spread = "steady" if max(past) - min(past) <= scale.width / 4 else "varying"
    return f"Ratings so far: {ratings}. On average {written(round(usual, 1))}: {manner}, {spread}."


def _about_item(title: str, others: Sequence[tuple[float, str]]) -> str:
    worded = [(rating, _point(text)) for rating, text in others if text.strip()]
    best = max(worded, key=_first, default=None)
    worst = min(worded, key=_first, default=None)
    praise = best[1] if best else "unknown"
    blame = worst[1] if worst and worst != best else "unknown"
    return f"{title} [pos] {praise} [neg] {blame}"


def _about_match(usual: float | None, general: float | None, rating: float) -> str:
    parts: list[str] = []
    if usual is not None:
        parts.append(f"This user gives {written(round(usual, 1))} on average")
    if general is not None:
        parts.append(f"others give this item {written(round(general, 1))}")
    known = ", ".join(parts) or "Neither the user nor the item is known"
    return f"{known}, so I expect {written(rating)}."


def _scale(value: object) -> RatingScale:
    if is_list(value) and len(value) == 2 and all(is_number(end) for end in value):  # noqa: PLR2004
        return RatingScale(float(value[0]), float(value[1]))
    return RatingScale()


def _reviews(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = described.get("reviews")
    rows = listed if is_list(listed) else []
    return [row for row in rows if is_object(row) and is_number(row.get("rating"))]


def _figure(described: Mapping[str, Any], ratings: Sequence[float]) -> float | None:
    given = described.get("mean_rating")
    if is_number(given):
        return float(given)
    return sum(ratings) / len(ratings) if ratings else None


def _title(described: Mapping[str, Any]) -> str:
    return _plain(str(described.get("title", "")), _TITLE_CHARACTERS)


def _point(text: str) -> str:
    return _plain(text, _POINT_CHARACTERS)


def _plain(text: str, characters: int) -> str:
    """Cut a text at a word, without what could pass for a tag."""
    words = text.replace("<", " ").replace(">", " ").split()
    kept = ""
    for word in words:
        if len(kept) + len(word) >= characters:
            break
        kept = f"{kept} {word}".strip()
    return kept.rstrip(".,;:-") or "-"


def _first(pair: tuple[float, str]) -> float:
    return pair[0]
