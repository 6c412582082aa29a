"""Node `predict_rating`: asks the model for its reasoning and rating."""

from __future__ import annotations

import asyncio

from langchain_core.messages import convert_to_messages

from ...errors import InputError
from ...llm.rating_answers import read_rating, tolerant_format
from ...llm.rating_prompt import shortened_messages
from ...rating.samples import mean_of_samples
from ...records import Flag, RatingScale
from ...runtime.model_call import Reply, ask
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
    if settings.rate_samples > 1 and not settings.temperature:
        raise InputError(
            "RE2LLM_RATE_SAMPLES",
            f"is {settings.rate_samples}, but at temperature 0 all answers are the same.",
            "Set RE2LLM_TEMPERATURE, to 1 for a trained rater.",
        )
    scale = RatingScale(*state["scale"])
    answer_format = tolerant_format(scale)
    prompt = convert_to_messages(state["prompt"])
    replies = await asyncio.gather(
        *(
            ask(
                prompt,
                options,
                "rate",
                answer_format=answer_format,
                shorter=lambda: shortened_messages(prompt),
            )
            for _ in range(settings.rate_samples)
        )
    )
    rated = [(read_rating(reply.text, scale).rating, reply) for reply in replies]
    mean = mean_of_samples([rating for rating, _ in rated])
    told = [
        (abs(rating - mean), reply)
        for rating, reply in rated
        if rating is not None and mean is not None
    ]
    # Without any rating, an answer that came is repaired rather than a call that failed.
    reply = min(told, key=_first)[1] if told else min(replies, key=lambda reply: reply.failed)
    shortened = [Flag.PROMPT_SHORTENED] if reply.shortened else []
    failed = [Flag.MODEL_FAILED, reply.failure] if reply.failed else []
    return {
        "model": options.model,
        "answer": reply.text,
        "mean": None if mean is None or settings.rate_samples == 1 else round(mean, 2),
        "llm_calls": sum(reply.calls for reply in replies),
        "flags": [*shortened, *failed],
        "model_error": reply.said,
    }


def _first(pair: tuple[float, Reply]) -> float:
    return pair[0]
