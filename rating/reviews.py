"""Reviews by user, from Amazon's histories or from plain JSONL; see `read_histories`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import cast

from ..data.amazon_reviews import meta_of, products
from ..data.attributes import given_attributes, read_attributes
from ..data.day_order import day_first_in, in_order
from ..data.files import is_endless
from ..data.json_rows import (
    as_id,
    as_object,
    as_text,
    keys_of,
    read_json_lines,
    with_own_keys,
)
from ..data.jsonl import OWN_KEYS
from ..data.malformed import ReadReport, RowError, shown
from ..data.row_order import RowOrder
from ..data.times import seconds
from ..data.titles import clean_title
from ..errors import InputError
from ..llm.ratings.limits import placed
from ..records import AttributeValue, Item, RatingScale, Review, is_number

UNNAMED = "Unnamed item"
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


@dataclass(frozen=True, slots=True)
class ReviewHistory:
    """One user's reviews, oldest first; of each item only the last one.

    A user may have several histories, one for each category.
    """

    user: str
    reviews: tuple[Review, ...]


def read_histories(
    path: Path, report: ReadReport, scale: RatingScale | None = None
) -> list[ReviewHistory]:
    """Read a file of reviews, whose rows may be of either kind.

    *A plain review*: `{"user": "u1", "item": {"id": "b7", "title": "Emma", "genre": "novel"},
    "rating": 4, "text": "Witty.", "title": "A joy", "time": 1627679830}`. `item` may be an id
    alone; `text`, `title` and `time` may be missing, and without a time the file's order counts.
    `timestamp`, `user_id`, `item_id` and `parent_asin` are read as well, and so are the published
    reviews of Amazon Reviews 2023, whose products come from `meta_CATEGORY.jsonl.gz` beside the
    file. The rows of a user make one history.

    *A history* of Amazon Reviews 2023: `{"user_id": …, "category": …, "history": [{"parent_asin",
    "rating", "timestamp_ms", "review_title", "review_full", "product": {"title", …}}, …],
    "heldout": {one review more, the last}}`. Each row is a history of its own.

    Args:
        path: The file, plain or gzip-compressed.
        report: Gets the malformed rows and the bytes read.
        scale: The ratings that can be given, or `None` for any from 0.

    Returns:
        Histories in the order in which their users first appear.

    Raises:
        InputError: The file cannot be read as text.
    """
    whole: list[ReviewHistory] = []
    by_user: dict[str, list[Review]] = {}
    undated: dict[str, dict[int, Review]] = {}
    places = count()
    rows: Iterable[tuple[int, object]] = read_json_lines(path, report)
    if is_endless(path):  # a pipe gives what it holds only once
        rows = earlier = list(rows)
    else:
        earlier = read_json_lines(path, ReadReport())
    day_first = day_first_in(path, _times(earlier))
    order = RowOrder()
    for line, value in rows:
        try:
            row = _object(value, "row")
            if "history" in row:
                whole.append(_amazon_history(row, path, report, scale))
                continue
            review, unknown = _plain_review(row, float(next(places)), day_first, scale)
        except RowError as error:
            report.add(path, line, str(error))
        else:
            by_user.setdefault(review.user, []).append(review)
            report.ignore(path, line, unknown)
            if _by_usual_names(row)[0].get("time") is None:
                undated.setdefault(review.user, {})[line] = review
            else:
                order.see(review.user, review.time)
    _leave_out_undated(by_user, undated, path, report)
    _describe(by_user, path, report)
    plain = [
        ReviewHistory(user, once_each(order.sorted(reviews, attrgetter("time")), path, report))
        for user, reviews in by_user.items()
    ]
    return [history for history in [*whole, *plain] if history.reviews]


def _leave_out_undated(
    by_user: dict[str, list[Review]],
    undated: dict[str, dict[int, Review]],
    path: Path,
    report: ReadReport,
) -> None:
    """Leave out reviews without a time, where others of the user have one: nothing orders them."""
    for user, without in undated.items():
        if len(without) == len(by_user[user]):
            continue
        for line in without:
            report.add(path, line, f"has no time, and other reviews of user {shown(user)} have one")
        left_out = set(map(id, without.values()))
        by_user[user] = [review for review in by_user[user] if id(review) not in left_out]


def _describe(by_user: dict[str, list[Review]], path: Path, report: ReadReport) -> None:
    """Give the reviews of Amazon's published files the products in the metadata beside them."""
    meta = meta_of(path)
    if meta is None:
        return
    needed = {review.item.id for reviews in by_user.values() for review in reviews}
    found = {item.id: item for item in products(meta, report) if item.id in needed}
    for reviews in by_user.values():
        reviews[:] = [replace(r, item=found.get(r.item.id, r.item)) for r in reviews]


def scale_of(histories: Iterable[ReviewHistory]) -> RatingScale:
    """Return the scale of some reviews: from the lowest rating given to the highest.

    Raises `InputError` where all ratings are the same.
    """
    ratings = {review.rating for history in histories for review in history.reviews}
    if len({round(rating, 2) for rating in ratings}) <= 1:
        raise InputError(
            "reviews",
            "hold fewer than two different ratings; prompts show two decimals.",
            "Give reviews with different ratings.",
        )
    return RatingScale(min(ratings), max(ratings))


def _amazon_history(
    row: dict[str, object], path: Path, report: ReadReport, scale: RatingScale | None
) -> ReviewHistory:
    user = as_id(row.get("user_id"), "user_id")
    listed = row["history"]
    if not isinstance(listed, list):
        raise RowError(f"history {shown(listed)} is not a list")
    held_out = row.get("heldout")
    rows = [*cast("list[object]", listed), *([] if held_out is None else [held_out])]
    category = row.get("category")
    reviews = [
        _amazon_review(user, entry, category, place, scale) for place, entry in enumerate(rows)
    ]
    # The data set calls the held-out review the last one, whatever its time says.
    return ReviewHistory(user, once_each(reviews, path, report))


def _amazon_review(
    user: str, value: object, category: object, place: int, scale: RatingScale | None
) -> Review:
    row = _object(value, "review")
    product = as_object(row.get("product")) or {}
    key = as_id(row.get("parent_asin"), "parent_asin")
    facts, _ = _facts(
        dict(sorted({"category": category, **product}.items())), but={"title", "main_category"}
    )
    title = product.get("title")
    named = clean_title(title) if isinstance(title, str) and title.strip() else UNNAMED
    item = Item(key, named, facts)
    text = _joined(row.get("review_title"), row.get("review_full") or row.get("review_excerpt"))
    time = row.get("timestamp_ms")
    moment = time / 1000 if isinstance(time, int | float) else float(place)
    return Review(user, item, checked_rating(row.get("rating"), scale), text, moment)


def _times(lines: Iterable[tuple[int, object]]) -> Iterator[object]:
    rows = (as_object(value) or {} for _, value in lines)
    return (_by_usual_names(row)[0].get("time") for row in rows)


def _plain_review(
    row: dict[str, object], place: float, day_first: bool | None, scale: RatingScale | None
) -> tuple[Review, list[str]]:
    """Return the review of a row, and the keys that mean nothing."""
    given = row
    row, unknown = _by_usual_names(given)
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


def _by_usual_names(row: dict[str, object]) -> tuple[dict[str, object], list[str]]:
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


def _object(value: object, name: str) -> dict[str, object]:
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


def once_each(reviews: Sequence[Review], path: Path, report: ReadReport) -> tuple[Review, ...]:
    """Keep an item's last review, so that no history holds the item that is to be rated.

    Args:
        reviews: The reviews of one user, oldest first.
        path: Where they are from, for the report, which counts those that are left out.
    """
    last = {review.item.id: place for place, review in enumerate(reviews)}
    for _ in range(len(reviews) - len(last)):
        report.warn_once(path, None, "left out: the same user rates the same item again later")
    return tuple(review for place, review in enumerate(reviews) if last[review.item.id] == place)


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
