"""Reviews that are split, and the prompts that they make."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from ..data.files import read_lines
from ..data.json_by_line import is_heading
from ..data.malformed import ReadReport
from ..data.movielens import MovieLensReader
from ..errors import InputError
from ..llm.ratings.prompt import PromptLimits, rating_messages, written
from ..records import Item, RatingScale, RatingTask, Review, counted
from ..runtime.request_limits import LONGEST_TEXT, MOST_ITEMS, input_error
from ..settings import get_settings
from . import SAMPLE
from .limits import prompt_limits
from .movielens import read_rated_films
from .request import OtherReview, PastReview, RatedItem, RatingRequest, mean_rating
from .reviews import ReviewHistory, read_histories, scale_of
from .sample import simulate_reviews
from .splits import RatingCase, ReviewSplit, split_reviews


@dataclass(frozen=True)
class RatingCorpus:
    """Reviews that are split, with prompts on demand.

    Attributes:
        split: Known reviews, and ratings to train on and to predict.
        scale: The ratings that can be given.
        limits: How much the prompts show.
        rule: The rule by which the reviews are split; see `SplitRule`.
        seed: The seed of the split.
    """

    split: ReviewSplit
    scale: RatingScale
    limits: PromptLimits
    rule: str = "last"
    seed: int = 0

    def task(self, case: RatingCase) -> RatingTask:
        """Return a case without its rating and text, and with other people's known reviews."""
        review = case.review
        known = self._known_by_item.get(review.item.id, ())
        others = [other for other in known if other.user != review.user]
        return RatingTask(
            history=case.history,
            item=review.item,
            item_reviews=tuple(others),
            user_mean=mean_rating(case.history),
            item_mean=mean_rating(others),
            scale=self.scale,
        )

    def prompts(self, cases: Sequence[RatingCase]) -> list[list[BaseMessage]]:
        """Return the prompt of each case."""
        return [rating_messages(self.task(case), self.limits) for case in cases]

    @cached_property
    def digest(self) -> str:
        """A digest of all ratings, however they are split."""
        every = [*self.split.known, *(case.review for case in self.split.test)]
        ratings = sorted({(one.user, one.item.id, one.rating) for one in every})
        return hashlib.sha256(json.dumps(ratings).encode()).hexdigest()[:32]

    @cached_property
    def _known_by_item(self) -> dict[str, list[Review]]:
        by_item: defaultdict[str, list[Review]] = defaultdict(list)
        for review in sorted(self.split.known, key=lambda review: review.time):
            by_item[review.item.id].append(review)
        return by_item


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSource:
    """Where reviews come from, and how to split them.

    Attributes:
        path: A JSONL file (see `read_histories`), a folder of MovieLens, or `sample` for the
            corpus in the package.
        split: `last` or `users`; see `SplitRule`.
        seed: Decides which users `users` and `mixed` hold out.
        scale: The ratings that can be given; others are malformed rows. `None` takes those of
            MovieLens or of the sample, or else from the lowest rating to the highest.
        skip_malformed: Leave malformed rows out instead of refusing the file.
        warn: Called with a note on each of the first rows that are left out or look odd.
    """

    path: str = SAMPLE
    split: str = "last"
    seed: int = 0
    scale: RatingScale | None = None
    skip_malformed: bool = False
    warn: Callable[[str], None] = lambda _: None

    def histories(self) -> list[ReviewHistory]:
        """Read the reviews, or simulate those of the sample.

        Raises:
            InputError: The file cannot be used.
        """
        if self.path == SAMPLE:
            return simulate_reviews()
        report = ReadReport()
        path = Path(self.path)
        read = read_rated_films if path.is_dir() else read_histories
        if path.is_file():
            _refuse_table(path)
        histories = read(path, report, self.scale)
        if not self.skip_malformed:
            report.raise_if_malformed()
        for note in report.notes:
            self.warn(note)
        if not histories:
            raise InputError(
                "reviews",
                f"{self.path} holds no usable review.",
                "Check that it is the right file.",
            )
        return histories

    def limits(self, **values: Any) -> PromptLimits:
        """Return `prompt_limits` that fit these reviews: a folder holds no texts."""
        style = get_settings().rating_prompt
        short = style is None and self.path != SAMPLE and Path(self.path).is_dir()
        if short:
            values = {"style": "short", **values}
        return prompt_limits(**values)

    def corpus(self, limits: PromptLimits) -> RatingCorpus:
        """Read the reviews and split them; see `limits`."""
        histories = self.histories()
        split = split_reviews(histories, self.split, seed=self.seed)
        return RatingCorpus(split, self.scale_for(histories), limits, self.split, self.seed)

    def known_scale(self) -> RatingScale | None:
        """Return the scale that was given or that the data set has, `None` if none is known."""
        if self.scale is not None:
            return self.scale
        if self.path == SAMPLE:
            return RatingScale()
        if Path(self.path).is_dir():
            return MovieLensReader(Path(self.path)).scale
        return None

    def scale_for(self, histories: Sequence[ReviewHistory]) -> RatingScale:
        """Return the scale of these reviews; one that is taken from the ratings is remarked on."""
        if (known := self.known_scale()) is not None:
            return known
        scale = scale_of(histories)
        self.warn(
            f"The ratings are from {written(scale.low)} to {written(scale.high)}, and that is "
            "taken as the scale. If it is another, set `scale`."
        )
        return scale


_TABLES = frozenset({".csv", ".tsv", ".dat", ".data", ".parquet"})


def _refuse_table(path: Path) -> None:
    """Raise `InputError` for a table, such as the file of ratings in a folder of MovieLens.

    What begins with an object is JSONL, whatever its name.
    """
    first = ""
    with suppress(InputError):  # reading it says so again, unless it is a table
        _, first = next(read_lines(path, ReadReport()), (1, ""))
    if first.lstrip().startswith("{"):
        return
    named = Path(path.name.lower().removesuffix(".gz")).suffix in _TABLES
    if named or is_heading(first):
        raise InputError(
            str(path),
            "is a table, not JSONL.",
            "Give the folder of MovieLens that holds it, or write one JSON object a line: "
            '{"user": …, "item": …, "rating": …}.',
        )


def request_from_reviews(
    histories: Sequence[ReviewHistory], user: str, item: str, scale: RatingScale | None = None
) -> RatingRequest:
    """Return the request for a user's rating of an item, from what is known of both.

    It holds the latest reviews alone, as many as a prompt shows or a request may hold, and the
    means of all.

    Args:
        item: An id, or a title in any case.
        scale: `None` takes it from the ratings.

    Raises:
        InputError: No review is of this user or of this item.
    """
    reviews = [review for history in histories for review in history.reviews]
    own = [review for review in reviews if review.user == user]
    if not own:
        example = histories[0].user
        raise InputError("user", f"{user!r} wrote no review.", f"Name one, such as {example}.")
    target = _named(item, {review.item.id: review.item for review in reviews})
    about = [review for review in reviews if review.item.id == target.id]
    past = sorted((r for r in own if r.item.id != target.id), key=lambda r: r.time)
    others = sorted((r for r in about if r.user != user), key=lambda r: r.time)
    scale = scale or scale_of(histories)
    try:
        return RatingRequest(
            item=RatedItem(title=target.title, attributes=_attributes(target)),
            history=[
                PastReview(
                    title=r.item.title,
                    attributes=_attributes(r.item),
                    rating=r.rating,
                    text=r.text[:LONGEST_TEXT],
                )
                for r in past[-PromptLimits().history :]
            ],
            # The short prompt counts them.
            item_reviews=[
                OtherReview(rating=r.rating, text=r.text[:LONGEST_TEXT])
                for r in others[-MOST_ITEMS:]
            ],
            user_mean=mean_rating(past),
            item_mean=mean_rating(others),
            lowest=scale.low,
            highest=scale.high,
        )
    except ValidationError as error:
        raise input_error(error, schema="rating") from error


def _named(name: str, items: Mapping[str, Item]) -> Item:
    """Return the item with an id, or else with a title in any case."""
    if name in items:
        return items[name]
    found = [item for item in items.values() if item.title.lower() == name.lower()]
    if not found:
        raise InputError("item", f"{name!r} has no review.", "Give an id or a whole title.")
    if len(found) > 1:
        ids = ", ".join(item.id for item in found[:3])
        raise InputError(
            "item",
            f"{name!r} is the title of {counted(len(found), 'item')}: {ids}.",
            "Give an id.",
        )
    return found[0]


def _attributes(item: Item) -> dict[str, str | int | float | list[str]]:
    return {
        name: value if isinstance(value, str | int | float) else list(value)
        for name, value in item.attributes.items()
    }
