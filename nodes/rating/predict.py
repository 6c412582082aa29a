"""Node `predict_rating`: asks the model for its reasoning and rating."""

from __future__ import annotations

from langchain_core.messages import convert_to_messages

from ...llm.rating_answers import tolerant_format
from ...llm.rating_prompt import shortened_messages
from ...records import Flag, RatingScale
from ...runtime.model_call import ask
from ...runtime.node import Update, node
from ...runtime.options import RunOptions
from .state import RatingState


@node
async def predict_rating(state: RatingState, options: RunOptions) -> Update:
    """Return the model's raw answer; an empty one and flags with the reason if the call failed."""
    answer_format = tolerant_format(RatingScale(*state["scale"]))
    prompt = convert_to_messages(state["prompt"])
    reply = await ask(
        prompt,
        options,
        "rate",
        answer_format=answer_format,
        shorter=lambda: shortened_messages(prompt),
    )
    shortened = [Flag.PROMPT_SHORTENED] if reply.shortened else []
    failed = [Flag.MODEL_FAILED, reply.failure] if reply.failed else []
    return {
        "model": options.model,
        "answer": reply.text,
        "llm_calls": reply.calls,
        "flags": [*shortened, *failed],
        "model_error": reply.said,
    }
