"""Node `check_rating`: makes sure that every answer has a rating on the scale."""

from __future__ import annotations

from langchain_core.messages import convert_to_messages

from ...llm.ratings.answers import read_rating, tolerant_format
from ...llm.ratings.prompt import repair_messages, shortened_messages, written
from ...records import Flag, RatingScale
from ...runtime.model_call import ask
from ...runtime.node import Update, node
from ...runtime.options import RunOptions
from .state import RatingState


@node
async def check_rating(state: RatingState, options: RunOptions) -> Update:
    """Read the rating, ask once more if there is none, and fall back to a mean.

    The flags say what was wrong: `wrong_format` if the format was not kept, `repaired` if the
    second answer counts, `fallback` if the rating is the user's mean, the item's mean, or the
    middle of the scale.
    """
    scale = RatingScale(*state["scale"])
    flags, calls, raw = list(state["flags"]), state["llm_calls"], state["answer"]
    said = state["model_error"]
    answer = read_rating(raw, scale)
    if not answer.valid and Flag.MODEL_FAILED not in flags:
        flags.append(Flag.WRONG_FORMAT)
    if answer.rating is None and Flag.MODEL_FAILED not in flags:
        prompt = convert_to_messages(state["prompt"])
        if Flag.PROMPT_SHORTENED in flags:
            prompt = shortened_messages(prompt)
        messages = repair_messages(prompt, raw, scale)
        reply = await ask(messages, options, "repair", answer_format=tolerant_format(scale))
        calls, said = calls + reply.calls, reply.said
        second = read_rating(reply.text, scale)
        if second.rating is not None:
            # The flags keep what was wrong with the first answer.
            answer, raw = second, reply.text
            flags.append(Flag.REPAIRED)
        elif reply.failed:
            flags.append(reply.failure)
    if answer.rating is None:
        flags.append(Flag.FALLBACK)
    mean = state.get("mean")
    rating = answer.rating if mean is None else mean
    return {
        "rating": state["fallback"] if rating is None else rating,
        "reasoning": {
            "analyze_user": answer.analyze_user,
            "analyze_item": answer.analyze_item,
            "match": answer.match,
            "rate": "" if answer.rating is None else written(answer.rating),
        },
        "valid": answer.valid and not {Flag.REPAIRED, Flag.FALLBACK} & set(flags),
        "answer": raw,
        "flags": flags,
        "model_error": said,
        "llm_calls": calls,
    }
