"""Node `reflect`: one running conversation about a miss, the target hidden at first.

Source: Re2LLM, arXiv 2403.16427, section 4.2.
"""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer

from ..errors import ModelDownError
from ..llm.hint_answers import HINTS, read_hints
from ..llm.prompt_data import inert
from ..llm.reflection_prompt import advise_message, explain_message, suspect_message
from ..ranking.prompt import conversation
from ..records import Item
from ..runtime.model_call import ask
from ..runtime.node import Update, node
from ..runtime.options import RunOptions
from .learn_state import LearnState, ProposalView


@node
async def reflect(state: LearnState, options: RunOptions) -> Update:
    """Ask for the likely mistakes, then why the target was missed, then for hints.

    Returns:
        The conversation and the proposed hints.

    Raises:
        ModelDownError: The model gave no answer.
    """
    write = get_stream_writer()
    write({"event": "missed", "rank": state["rank"], "session": state.get("training_session")})
    number, target = _target(state)
    messages = conversation(state, options)
    questions = (
        (suspect_message(), None),
        (explain_message(target, number), None),
        (advise_message(), HINTS),
    )
    answers: list[str] = []
    for question, answer_format in questions:
        messages.append(question)
        reply = await ask(messages, options, "reflect", answer_format=answer_format)
        if reply.failed:
            raise ModelDownError(options.reflect_model, reply.failure, reply.said)
        messages.append(AIMessage(inert(reply.text)))
        answers.append(reply.text)
    _, diagnosis, advice = answers
    write({"event": "diagnosis", "text": diagnosis})
    hints = read_hints(advice)
    for hint in hints:
        write({"event": "hint", "text": hint})
    return {
        "reflection": {
            "diagnosis": diagnosis,
            "messages": [{"role": message.type, "content": message.text} for message in messages],
        },
        "proposals": [_proposal(hint) for hint in hints],
    }


def _target(state: LearnState) -> tuple[int, Item]:
    wanted = state.get("target")
    for number, view in enumerate(state["candidate_items"], start=1):
        if view["id"] == wanted:
            return number, Item(view["id"], view["title"], view["attributes"])
    raise AssertionError  # `check` has found it in the ranking


def _proposal(text: str) -> ProposalView:
    return {"text": text, "outcome": None, "reason": "", "hint_id": None, "verification": {}}
