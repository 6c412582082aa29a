"""The offline teacher's answer to a short rating prompt: steps that a small model can copy.

Each step needs only the lines or the step before it: two means make a level, the item's line has a
word, the two make a number, and the rating is this number, or the true one where it is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...records import RatingScale
from ..ratings.lines import COMPARED, step_of, typical_rating
from ..ratings.prompt import written

_UNKNOWN = "usual"

_TITLE_CHARACTERS = 25


def rate_short(document: Mapping[str, Any], truth: float | None) -> str:
    """Return the four steps.

    Args:
        document: A document from `read_lines`.
        truth: The true rating, if the teacher has been shown it.
    """
    scale = RatingScale(*document["scale"])
    user, item = document["user"], document["item"]
    usual = user["mean_rating"]
    level = (
        typical_rating(scale) if usual is None else round((usual + user["lately"]) / 2 + 1e-9, 1)
    )
    whole = all(rating == int(rating) for rating in user["ratings"])
    word = item["compared"] if item["compared"] in COMPARED else _UNKNOWN
    shift = (COMPARED.index(word) - COMPARED.index(_UNKNOWN)) * step_of(scale)
    step = 1.0 if whole else 0.5
    about = min(max(round((level + shift) / step + 1e-9) * step, scale.low), scale.high)
    rating = about if truth is None else truth
    known = f"usually {usual:.1f}, lately {user['lately']:.1f}" if usual is not None else "new"
    steps = {
        "analyze user": f"{known}, level {level:.1f}, {'whole' if whole else 'halves'}",
        "analyze item": f"{_title(item['title'])}, {_mean_words(item)}{word}",
        "match": f"{level:.1f} and {word}: about {written(about)}, {_turn(rating, about)}",
        "rate": written(rating),
    }
    return "\n".join(f"<{tag}>{text}</{tag}>" for tag, text in steps.items())


def _mean_words(item: Mapping[str, Any]) -> str:
    if item["mean_rating"] is None:
        return "unknown, "
    count = "" if item["count"] is None else f" of {item['count']}"
    return f"{item['mean_rating']:.1f}{count}, "


def _turn(rating: float, about: float) -> str:
    if rating == about:
        return "as expected"
    return "but higher" if rating > about else "but lower"


def _title(title: str) -> str:
    return title[:_TITLE_CHARACTERS].rstrip(" .,;:-(") or "-"
