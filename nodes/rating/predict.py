"""Node `predict_rating`: the call that thinks and rates."""

from __future__ import annotations

from langchain_core.messages import convert_to_messages
from langgraph.runtime import Runtime

from ...errors import Re2llmError
from ...llm.rating_answers import read_rating
from ...llm.structured import AnswerFormat
from ...records import RatingScale
from ...runtime.model_call import ask
from ...runtime.node import Update
from ...runtime.options import Context, resolve
from .state import RatingState


async def predict_rating(state: RatingState, runtime: Runtime[Context]) -> Update:
    """Ask the model for its four steps.

    A model that fails leaves an empty answer and the flags `model_failed` and why.

    Args:
        state: With the prompt.
        runtime: The run's options.

    Returns:
        The raw answer; or an `error` if the model's name or key cannot be used at all.
    """
    try:
        call = await resolve(runtime)
        form = any_rating(RatingScale(*state["scale"]))
        reply = await ask(convert_to_messages(state["prompt"]), call, "rate", answer_format=form)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    return {
        "model": call.model,
        "answer": reply.text,
        "llm_calls": reply.calls,
        "latency_ms": reply.latency_ms,
        "flags": ["model_failed", reply.failure] if reply.failed else [],
    }


def any_rating(scale: RatingScale) -> AnswerFormat:
    """Return the form of an answer that is worth keeping: it holds a rating.

    Args:
        scale: The ratings that can be given.
    """
    return AnswerFormat(None, lambda text: read_rating(text, scale).rating is not None)
