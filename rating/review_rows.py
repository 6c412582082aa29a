"""One row of a file of reviews: a review, or a history of them."""

from __future__ import annotations

from typing import cast

from ..data.attributes import given_attributes, read_attributes
from ..data.day_order import in_order
from ..data.json_rows import as_id, as_object, as_text, keys_of, with_own_keys
from ..data.jsonl import OWN_KEYS
from ..data.malformed import RowError, shown
from ..data.times import seconds
from ..data.titles import clean_title
from ..llm.ratings.limits import placed
from ..records import AttributeValue, Item, RatingScale, Review, is_number

_UNNAMED = "Unnamed item"
"""The title of an Amazon product without one; its id would say nothing."""

_KEYS = {
    "user": ("user", "user_id"),
    "item": ("item", "item_id", "parent_asin"),
    "rating": ("rating",),
    "text": ("text",),
    "title": ("title",),
    "time": ("time", "timestamp"),
}
"""Our key, and what data sets call it."""
_NAMES = frozenset(name for usual in _KEYS.values() for name in usual)
_UNUSED = frozenset({"asin", "images", "helpful_vote", "verified_purchase"})
"""Keys of Amazon's published reviews that are left out without a word."""


def amazon_reviews(row: dict[str, object], scale: RatingScale | None) -> tuple[str, list[Review]]:
    """Return the user of a history of Amazon Reviews 2023, and the reviews, the held-out one last.

    Raises `RowError` if it cannot be used.
    """
    user = as_id(row.get("user_id"), "user_id")
    listed = row["history"]
    if not isinstance(listed, list):
        raise RowError(f"history {shown(listed)} is not a list")
    held_out = row.get("heldout")
    rows = [*cast("list[object]", listed), *([] if held_out is None else [held_out])]
    category = row.get("category")
    return user, [
        _amazon_review(user, entry, category, place, scale) for place, entry in enumerate(rows)
    ]


def _amazon_review(
    user: str, value: object, category: object, place: int, scale: RatingScale | None
) -> Review:
    row = object_of(value, "review")
    product = as_object(row.get("product")) or {}
    key = as_id(row.get("parent_asin"), "parent_asin")
    facts, _ = _facts(
        dict(sorted({"category": category, **product}.items())), but={"title", "main_category"}
    )
    title = product.get("title")
    named = clean_title(title) if isinstance(title, str) and title.strip() else _UNNAMED
    item = Item(key, named, facts)
    text = _joined(row.get("review_title"), row.get("review_full") or row.get("review_excerpt"))
    time = row.get("timestamp_ms")
    moment = time / 1000 if isinstance(time, int | float) else float(place)
    return Review(user, item, checked_rating(row.get("rating"), scale), text, moment)


def plain_review(
    row: dict[str, object], place: float, day_first: bool | None, scale: RatingScale | None
) -> tuple[Review, list[str]]:
    """Return the review of a row, and the keys that mean nothing."""
    given = row
    row, unknown = by_usual_names(given)
    for name in ("user", "item", "rating"):
        if name not in row:
            raise RowError(f"has no {name}{keys_of(given)}")
    user = as_id(row["user"], "user")
    described = as_object(row["item"])
    if described is None:
        key = as_id(row["item"], "item")
        item = Item(key, key)
    else:
        described = with_own_keys(described, OWN_KEYS)
        if "id" not in described:
            raise RowError(f"item has no id{keys_of(described)}")
        key = as_id(described["id"], "item id")
        title = described.get("title")
        named = key if title is None else clean_title(as_text(title, "title"))
        facts, dropped = read_attributes(given_attributes(described, OWN_KEYS))
        unknown += [f"item.{name}" for name in dropped]
        item = Item(key, named, facts)
    time = row.get("time")
    moment = place if time is None else seconds(in_order(time, day_first=day_first), "time")
    text = _joined(row.get("title"), row.get("text"))
    unknown += [name for name in ("title", "text") if not _is_readable(row.get(name, ""))]
    return Review(user, item, checked_rating(row.get("rating"), scale), text, moment), unknown


def by_usual_names(row: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return a row with our keys for those that data sets use, and the keys that mean nothing."""
    found: dict[str, object] = {}
    row = with_own_keys(row, _NAMES)
    used = _UNUSED if "parent_asin" in row else frozenset[str]()
    for name, usual in _KEYS.items():
        key = next((key for key in usual if row.get(key) is not None), None)
        if key is not None:
            found[name] = row[key]
            used |= {key}
    return found, sorted(key for key in row if key not in used and row[key] is not None)


def object_of(value: object, name: str) -> dict[str, object]:
    """Return a value as an object, or raise `RowError` with its name if it is none."""
    row = as_object(value)
    if row is None:
        raise RowError(f"{name} {shown(value)} is not an object")
    return row


def _facts(
    described: dict[str, object], *, but: set[str]
) -> tuple[dict[str, AttributeValue], list[str]]:
    return read_attributes({name: fact for name, fact in described.items() if name not in but})


def _is_readable(part: object) -> bool:
    return isinstance(part, str) and "\0" not in part


def _joined(title: object, text: object) -> str:
    parts = [
        " ".join(part.replace("<br />", " ").split())
        for part in (title, text)
        if isinstance(part, str) and _is_readable(part) and part.strip()
    ]
    # Amazon repeats a headline at the start of a short review.
    if len(parts) > 1 and parts[1].startswith(parts[0]):
        parts = parts[1:]
    return ". ".join(parts)


def checked_rating(value: object, scale: RatingScale | None = None) -> float:
    """Return a rating, or raise `RowError` if it is no number from 0, or off a scale."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"rating {shown(value)} is not a number")
    if not is_number(value) or value < 0:
        # In an answer, a minus could as well be a dash.
        raise RowError(f"rating {shown(value)} is not 0 or more: shift the scale")
    if scale is not None and placed(round(value, 2), scale) is None:  # as prompts show it
        raise RowError(
            f"rating {shown(value)} is not between {scale.low:g} and {scale.high:g}; if your scale "
            "is another, set `scale`"
        )
    return float(value)
