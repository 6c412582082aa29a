"""Reviews by user, from Amazon's histories or from plain JSONL; see `read_histories`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from math import isfinite
from pathlib import Path
from typing import cast

from ..data.json_rows import as_id, as_object, as_text, read_json_lines
from ..data.malformed import ReadReport, RowError, shown
from ..data.titles import clean_title
from ..errors import InputError
from ..records import AttributeValue, Item, RatingScale, Review

SAMPLE = "sample"
"""The name of the corpus in the package, where a path is asked for."""
UNNAMED = "Unnamed item"
"""The title of an Amazon product without one; its id would say nothing."""


@dataclass(frozen=True, slots=True)
class ReviewHistory:
    """One user's reviews, oldest first; of each item only the last one.

    A user may have several histories, one for each category.
    """

    user: str
    reviews: tuple[Review, ...]


def read_histories(path: Path, report: ReadReport) -> list[ReviewHistory]:
    """Read a file of reviews, whose rows may be of either kind.

    *A plain review*: `{"user": "u1", "item": {"id": "b7", "title": "Emma", "genre": "novel"},
    "rating": 4, "text": "Witty.", "title": "A joy", "time": 1627679830}`. `item` may be an id
    alone; `text`, `title` and `time` may be missing, and without a time the file's order counts.
    The rows of a user make one history.

    *A history* of Amazon Reviews 2023: `{"user_id": …, "category": …, "history": [{"parent_asin",
    "rating", "timestamp_ms", "review_title", "review_full", "product": {"title", …}}, …],
    "heldout": {one review more, the last}}`. Each row is a history of its own.

    Args:
        path: The file, plain or gzip-compressed.
        report: Gets the malformed rows and the bytes read.

    Returns:
        Histories in the order in which their users first appear.

    Raises:
        InputError: The file cannot be read as text.
    """
    whole: list[ReviewHistory] = []
    by_user: dict[str, list[Review]] = {}
    places = count()
    for line, value in read_json_lines(path, report):
        try:
            row = _object(value, "row")
            if "history" in row:
                whole.append(_amazon_history(row))
            else:
                review = _plain_review(row, float(next(places)))
                by_user.setdefault(review.user, []).append(review)
        except RowError as error:
            report.add(path, line, str(error))
    plain = [
        ReviewHistory(user, _once_each(sorted(reviews, key=lambda review: review.time)))
        for user, reviews in by_user.items()
    ]
    return [history for history in [*whole, *plain] if history.reviews]


def scale_of(histories: Iterable[ReviewHistory]) -> RatingScale:
    """Return the scale of some reviews: from the lowest rating given to the highest.

    Raises `InputError` where all ratings are the same.
    """
    ratings = {review.rating for history in histories for review in history.reviews}
    if len(ratings) < 2:  # noqa: PLR2004
        raise InputError(
            "reviews",
            "hold fewer than two different ratings.",
            "Give reviews with different ratings.",
        )
    return RatingScale(min(ratings), max(ratings))


def _amazon_history(row: dict[str, object]) -> ReviewHistory:
    user = as_id(row.get("user_id"), "user_id")
    listed = row["history"]
    if not isinstance(listed, list):
        raise RowError(f"history {shown(listed)} is not a list")
    held_out = row.get("heldout")
    rows = [*cast("list[object]", listed), *([] if held_out is None else [held_out])]
    category = row.get("category")
    reviews = [_amazon_review(user, entry, category, place) for place, entry in enumerate(rows)]
    # The data set calls the held-out review the last one, whatever its time says.
    return ReviewHistory(user, _once_each(reviews))


def _amazon_review(user: str, value: object, category: object, place: int) -> Review:
    row = _object(value, "review")
    product = as_object(row.get("product")) or {}
    key = as_id(row.get("parent_asin"), "parent_asin")
    facts = _facts(
        dict(sorted({"category": category, **product}.items())), but={"title", "main_category"}
    )
    title = product.get("title")
    named = clean_title(title) if isinstance(title, str) and title.strip() else UNNAMED
    item = Item(key, named, facts)
    text = _joined(row.get("review_title"), row.get("review_full") or row.get("review_excerpt"))
    time = row.get("timestamp_ms")
    seconds = time / 1000 if isinstance(time, int | float) else float(place)
    return Review(user, item, _rating(row.get("rating")), text, seconds)


def _plain_review(row: dict[str, object], place: float) -> Review:
    user = as_id(row.get("user"), "user")
    described = as_object(row.get("item"))
    if described is None:
        key = as_id(row.get("item"), "item")
        item = Item(key, key)
    else:
        key = as_id(described.get("id"), "item id")
        title = described.get("title")
        named = key if title is None else clean_title(as_text(title, "title"))
        item = Item(key, named, _facts(described, but={"id", "title"}))
    time = row.get("time")
    if time is not None and (isinstance(time, bool) or not isinstance(time, int | float)):
        raise RowError(f"time {shown(time)} is not a number of seconds")
    seconds = place if time is None else float(time)
    text = _joined(row.get("title"), row.get("text"))
    return Review(user, item, _rating(row.get("rating")), text, seconds)


def _object(value: object, name: str) -> dict[str, object]:
    row = as_object(value)
    if row is None:
        raise RowError(f"{name} {shown(value)} is not an object")
    return row


def _facts(described: dict[str, object], *, but: set[str]) -> dict[str, AttributeValue]:
    return {
        name: kept
        for name, value in described.items()
        if name not in but and (kept := _fact(value)) is not None
    }


def _fact(value: object) -> AttributeValue | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int | float):
        return value
    if isinstance(value, list):
        texts = [entry for entry in cast("list[object]", value) if isinstance(entry, str)]
        return texts or None
    return None


def _rating(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"rating {shown(value)} is not a number")
    if not isfinite(value) or value < 0:
        # In an answer, a minus could as well be a dash.
        raise RowError(f"rating {shown(value)} is not 0 or more: shift the scale")
    return float(value)


def _joined(title: object, text: object) -> str:
    parts = [
        " ".join(part.replace("<br />", " ").split())
        for part in (title, text)
        if isinstance(part, str) and part.strip() and "\0" not in part
    ]
    # Amazon repeats a headline at the start of a short review.
    if len(parts) > 1 and parts[1].startswith(parts[0]):
        parts = parts[1:]
    return ". ".join(parts)


def _once_each(reviews: Sequence[Review]) -> tuple[Review, ...]:
    """Keep an item's last review, so that no history holds the item that is to be rated."""
    last = {review.item.id: place for place, review in enumerate(reviews)}
    return tuple(review for place, review in enumerate(reviews) if last[review.item.id] == place)
