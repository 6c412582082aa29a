"""Node `check_rating`: whatever the model answered, a rating on the scale leaves the graph."""

from __future__ import annotations

from langchain_core.messages import convert_to_messages
from langgraph.runtime import Runtime

from ...errors import Re2llmError
from ...llm.rating_answers import read_rating
from ...llm.rating_prompt import repair_messages, written
from ...records import RatingScale
from ...runtime.model_call import ask
from ...runtime.node import Update
from ...runtime.options import Context, resolve
from .predict import any_rating
from .state import RatingState


async def check_rating(state: RatingState, runtime: Runtime[Context]) -> Update:
    """Read the rating, ask once more if there is none, and fall back to a mean.

    Args:
        state: With the model's raw answer.
        runtime: The run's options.

    Returns:
        The rating and its reasoning, flagged if anything was wrong: `wrong_format` where the format
        was not kept, `repaired` where the second answer counts, `fallback` where the rating is the
        user's mean, the item's, or the middle of the scale; or an `error` if no further call may
        be paid.
    """
    scale = RatingScale(*state["scale"])
    flags, calls, raw = list(state["flags"]), state["llm_calls"], state["answer"]
    answer = read_rating(raw, scale)
    if not answer.valid and "model_failed" not in flags:
        flags.append("wrong_format")
    if answer.rating is None and "model_failed" not in flags:
        try:
            call = await resolve(runtime)
            prompt = convert_to_messages(state["prompt"])
            plea = repair_messages(prompt, raw, scale)
            answer_format = any_rating(scale)
            reply = await ask(plea, call, "repair", answer_format=answer_format)
        except Re2llmError as error:
            return {"error": error.as_dict()}
        calls += reply.calls
        second = read_rating(reply.text, scale)
        if second.rating is not None:
            # `valid` stays that of the first answer: a repair must not hide what was wrong.
            answer, raw = second, reply.text
            flags.append("repaired")
        elif reply.failed:
            flags.append(reply.failure)
    if answer.rating is None:
        flags.append("fallback")
    return {
        "rating": state["fallback"] if answer.rating is None else answer.rating,
        "reasoning": {
            "analyze_user": answer.analyze_user,
            "analyze_item": answer.analyze_item,
            "match": answer.match,
            "rate": "" if answer.rating is None else written(answer.rating),
        },
        "valid": answer.valid and not {"repaired", "fallback"} & set(flags),
        "answer": raw,
        "flags": flags,
        "llm_calls": calls,
        "error": None,
    }
