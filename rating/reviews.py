"""Reviews by user, from Amazon's histories or from plain JSONL; see `read_histories`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from operator import attrgetter
from pathlib import Path

from ..data.amazon_reviews import meta_of, products
from ..data.day_order import day_first_in
from ..data.files import is_endless
from ..data.json_rows import as_object, read_json_lines
from ..data.malformed import ReadReport, RowError, shown
from ..data.row_order import RowOrder
from ..errors import InputError
from ..records import RatingScale, Review
from .review_rows import amazon_reviews, by_usual_names, object_of, plain_review


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
            row = object_of(value, "row")
            if "history" in row:
                whole.append(_amazon_history(row, path, report, scale))
                continue
            review, unknown = plain_review(row, float(next(places)), day_first, scale)
        except RowError as error:
            report.add(path, line, str(error))
        else:
            by_user.setdefault(review.user, []).append(review)
            report.ignore(path, line, unknown)
            if by_usual_names(row)[0].get("time") is None:
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


def _times(lines: Iterable[tuple[int, object]]) -> Iterator[object]:
    rows = (as_object(value) or {} for _, value in lines)
    return (by_usual_names(row)[0].get("time") for row in rows)


def _amazon_history(
    row: dict[str, object], path: Path, report: ReadReport, scale: RatingScale | None
) -> ReviewHistory:
    user, reviews = amazon_reviews(row, scale)
    # The data set calls the held-out review the last one, whatever its time says.
    return ReviewHistory(user, once_each(reviews, path, report))


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
