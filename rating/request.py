"""A request for a rating: its fields, its checks, and how to make one from reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, ValidationError

from ..errors import InputError
from ..llm.ratings.limits import placed
from ..records import Item, RatingScale, RatingTask, Review
from ..runtime.request_limits import (
    MOST_ITEMS,
    Attributes,
    OptionalText,
    Rating,
    Title,
    input_error,
    is_absent,
)

_LONGEST_NAME = 40
"""Characters of a key that an error quotes."""


class RatedItem(BaseModel):
    """An item to rate."""

    title: Annotated[Title, Field(min_length=1, description="The item's name.")]
    attributes: Annotated[
        Attributes,
        Field(description="Facts by name, such as genre, brand or price."),
    ] = {}


class PastReview(RatedItem):
    """One of the user's past reviews."""

    rating: Annotated[Rating, Field(description="On the scale.")]
    text: Annotated[OptionalText, Field(description="The review, if there is one.")] = ""


class OtherReview(BaseModel):
    """Another person's review of the item to rate."""

    rating: Annotated[Rating, Field(description="On the scale.")]
    text: Annotated[OptionalText, Field(description="The review, if there is one.")] = ""


class RatingRequest(BaseModel):
    """A user and an item, and what is known of both."""

    item: Annotated[RatedItem, Field(description="What the user is about to rate.")]
    history: Annotated[
        list[PastReview],
        Field(max_length=MOST_ITEMS, description="The user's past reviews, oldest first."),
    ] = []
    item_reviews: Annotated[
        list[OtherReview],
        Field(
            max_length=MOST_ITEMS, description="Other people's reviews of the item, latest last."
        ),
    ] = []
    user_mean: Annotated[
        Rating | None,
        Field(description="Mean of the user's ratings; none takes that of `history`."),
    ] = None
    item_mean: Annotated[
        Rating | None,
        Field(description="Mean rating of the item; none takes that of `item_reviews`."),
    ] = None
    lowest: Annotated[Rating, Field(description="The worst rating of the scale.")] = 1
    highest: Annotated[Rating, Field(description="The best rating of the scale.")] = 5


def rating_task(request: Mapping[str, Any]) -> RatingTask:
    """Check a request, and return it as a task.

    Args:
        request: Fields of `RatingRequest`, unchecked: LangGraph passes its input on as it came.

    Raises:
        InputError: A field is missing or does not fit; the message names it.
    """
    try:
        given = RatingRequest.model_validate(request)
    except ValidationError as error:
        raise input_error(error) from error
    if not round(given.lowest, 2) < round(given.highest, 2):
        raise InputError(
            "highest", "is not above `lowest` by .01 at least.", "Send the ends of the scale."
        )
    if given.lowest < 0:
        raise InputError("lowest", "is below 0.", "Shift the scale, as 0 to 20 for -10 to 10.")
    scale = RatingScale(given.lowest, given.highest)
    history = [
        Review("user", Item(str(n), r.title, r.attributes), r.rating, r.text, float(n))
        for n, r in enumerate(given.history)
    ]
    others = [
        Review(f"other-{n}", Item("item", given.item.title), r.rating, r.text, float(n))
        for n, r in enumerate(given.item_reviews)
    ]
    for name, ratings in (
        ("history", [review.rating for review in history]),
        ("item_reviews", [review.rating for review in others]),
        ("user_mean", [] if given.user_mean is None else [given.user_mean]),
        ("item_mean", [] if given.item_mean is None else [given.item_mean]),
    ):
        if off := [rating for rating in ratings if placed(round(rating, 2), scale) is None]:
            raise InputError(
                name,
                f"holds {off[0]:g}, which is not between {scale.low:g} and {scale.high:g}.",
                "Send `lowest` and `highest` of your scale.",
            )
    return RatingTask(
        history=history,
        item=Item("item", given.item.title, given.item.attributes),
        item_reviews=others,
        user_mean=mean_rating(history) if given.user_mean is None else given.user_mean,
        item_mean=mean_rating(others) if given.item_mean is None else given.item_mean,
        scale=scale,
    )


_PARTS = (("item", RatedItem), ("history", PastReview), ("item_reviews", OtherReview))


def refuse_unknown_keys(request: Mapping[str, Any]) -> None:
    """Raise `InputError` for a key that a request, its items or its reviews do not have."""
    _refuse_unknown("", request, RatingRequest)
    refuse_unknown_parts(request, filled=False)


def refuse_unknown_parts(request: Mapping[str, Any], *, filled: bool = True) -> None:
    """Raise `InputError` for a key that an item or a review of a request does not have.

    Args:
        request: A request, or the arguments of a call.
        filled: Pass over a key that holds nothing, as models fill in what they do not know.
    """
    for field, kind in _PARTS:
        part: Any = request.get(field)
        if isinstance(part, list | tuple):
            for place, row in enumerate(cast("Sequence[Any]", part)):
                _refuse_unknown(f"{field}.{place}.", row, kind, filled=filled)
        else:
            _refuse_unknown(f"{field}.", part, kind, filled=filled)


def _refuse_unknown(where: str, row: Any, kind: type[BaseModel], *, filled: bool = False) -> None:
    if not isinstance(row, Mapping):
        return  # which the schema refuses
    known = kind.model_fields
    for key, value in cast("Mapping[str, Any]", row).items():
        if key not in known and not (filled and is_absent(value)):
            remedy = f"Choose from {', '.join(known)}."
            raise InputError(f"{where}{str(key)[:_LONGEST_NAME]}", "is not known.", remedy)


def mean_rating(reviews: Sequence[Review]) -> float | None:
    """Return the mean of the ratings, `None` without any."""
    return fmean(review.rating for review in reviews) if reviews else None
