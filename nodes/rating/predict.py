"""Node `predict_rating`: asks the model for its reasoning and rating."""

from __future__ import annotations

import asyncio
import math

from langchain_core.messages import convert_to_messages

from ...llm.ratings.answers import read_rating, tolerant_format
from ...llm.ratings.prompt import shortened_messages
from ...rating.samples import check_samples, mean_of_samples
from ...records import Flag, RatingScale
from ...runtime.model_call import ask
from ...runtime.node import Update, node
from ...runtime.options import RunOptions
from .state import RatingState


@node
async def predict_rating(state: RatingState, options: RunOptions) -> Update:
    """Return the model's raw answer; an empty one and flags with the reason if the call failed.

    With the setting `rate_samples` above 1, the rating is the mean of so many answers, and the raw
    answer is the one whose rating is nearest to it.
    """
    settings = options.settings
    check_samples(settings.rate_samples, settings.temperature)
    scale = RatingScale(*state["scale"])
    answer_format = tolerant_format(scale)
    prompt = convert_to_messages(state["prompt"])
    # A group, so that no further answer is paid for once one has failed for good.
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(
                ask(
                    prompt,
                    options,
                    "rate",
                    answer_format=answer_format,
                    shorter=lambda: shortened_messages(prompt),
                )
            )
            for _ in range(settings.rate_samples)
        ]
    replies = [task.result() for task in asked]
    ratings = [read_rating(reply.text, scale).rating for reply in replies]
    mean = mean_of_samples(ratings)

    def rank(place: int) -> tuple[bool, float]:
        rating = ratings[place]
        unlike = math.inf if rating is None or mean is None else abs(rating - mean)
        return replies[place].failed, unlike

    # Without any rating, an answer that came is repaired rather than a call that failed.
    reply = replies[min(range(len(replies)), key=rank)]
    shortened = [Flag.PROMPT_SHORTENED] if reply.shortened else []
    failed = [Flag.MODEL_FAILED, reply.failure] if reply.failed else []
    return {
        "model": options.model,
        "answer": reply.text,
        "mean": None
        if mean is None or settings.rate_samples == 1
        else scale.nearest(round(mean, 2)),
        "llm_calls": sum(reply.calls for reply in replies),
        "flags": [*shortened, *failed],
        "model_error": reply.said,
    }
