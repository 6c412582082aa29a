"""Node `predict_rating`: the call that thinks and rates."""

from __future__ import annotations

from langchain_core.messages import convert_to_messages
from langgraph.runtime import Runtime

from ..errors import Re2llmError
from .context import Context, resolve
from .model_call import ask
from .rating_state import RatingState
from .state import Update


async def predict_rating(state: RatingState, runtime: Runtime[Context]) -> Update:
    """Ask the model for its four steps.

    A model that fails leaves an empty answer and the flag `model_failed`.

    Args:
        state: With the prompt.
        runtime: The run's options.

    Returns:
        The raw answer; or an `error` if the model's name or key cannot be used at all.
    """
    try:
        call = await resolve(runtime)
        reply = await ask(convert_to_messages(state["prompt"]), call)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    return {
        "model": call.model,
        "answer": reply.text,
        "llm_calls": 1,
        "flags": ["model_failed"] if reply.failed else [],
    }
