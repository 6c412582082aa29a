"""Node `prepare_rating`: checks the request and writes the prompt, as training does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import convert_to_openai_messages
from langgraph.runtime import Runtime
from pydantic import ValidationError

from ...errors import InputError, Re2llmError
from ...llm.rating_prompt import RATING_PROMPT_VERSION, PromptLimits, rating_messages
from ...records import Item, RatingScale, RatingTask, Review
from ...runtime.node import Update
from ...runtime.options import Context, resolve
from ...runtime.request_limits import input_error
from .state import RatingRequest, RatingState

_FIELDS = tuple(RatingRequest.model_fields)


async def prepare_rating(state: RatingState, runtime: Runtime[Context]) -> Update:
    """Check the request and write the prompt.

    Args:
        state: The request.
        runtime: The run's options.

    Returns:
        The prompt, the scale and a fallback; or an `error`.
    """
    try:
        task = rating_task({name: state[name] for name in _FIELDS if state.get(name) is not None})
        settings = (await resolve(runtime)).settings
    except Re2llmError as error:
        return {"error": error.as_dict()}
    limits = PromptLimits(
        review_characters=settings.rating_review_characters,
        title_characters=settings.rating_title_characters,
    )
    middle = (task.scale.low + task.scale.high) / 2
    means = [mean for mean in (task.user_mean, task.item_mean, middle) if mean is not None]
    return {
        "prompt": convert_to_openai_messages(rating_messages(task, limits)),
        "prompt_version": RATING_PROMPT_VERSION,
        "scale": [task.scale.low, task.scale.high],
        "fallback": round(means[0], 2),
        "error": None,
    }


def rating_task(request: dict[str, Any]) -> RatingTask:
    """Return what a request asks for.

    Args:
        request: Of the shape of `RatingRequest`, unchecked: LangGraph hands it on as it came.

    Raises:
        InputError: A field is missing or does not fit; the message names it.
    """
    try:
        given = RatingRequest.model_validate(request)
    except ValidationError as error:
        raise input_error(error) from error
    if not given.lowest < given.highest:
        raise InputError("highest", "is not above `lowest`.", "Send the ends of the scale.")
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
        if off := [rating for rating in ratings if not scale.holds(rating)]:
            raise InputError(
                name,
                f"holds {off[0]:g}, which is not between {scale.low:g} and {scale.high:g}.",
                "Send `lowest` and `highest` of your scale.",
            )
    return RatingTask(
        history=history,
        item=Item("item", given.item.title, given.item.attributes),
        item_reviews=others,
        user_mean=_mean(history) if given.user_mean is None else given.user_mean,
        item_mean=_mean(others) if given.item_mean is None else given.item_mean,
        scale=scale,
    )


def _mean(reviews: Sequence[Review]) -> float | None:
    return sum(review.rating for review in reviews) / len(reviews) if reviews else None
