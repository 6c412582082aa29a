"""Node `reflect`: one running conversation about a miss, the target hidden at first.

Source: Re2LLM, arXiv 2403.16427, section 4.2. Where other misses are known that share its cause,
all of them are shown at once instead, in a single question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.config import get_stream_writer

from ..errors import Failure, ModelDownError
from ..llm.hints.answers import BATCH_HINTS, HINTS, read_cause, read_hints
from ..llm.hints.reflection_prompt import (
    MOST_WORDINGS,
    advise_message,
    batch_messages,
    explain_message,
    suspect_message,
)
from ..llm.prompt_data import inert
from ..llm.structured import AnswerFormat
from ..ranking.hints.batching import batch_of
from ..ranking.hints.misses import Miss
from ..ranking.item_views import item_of
from ..ranking.prompt import conversation
from ..records import Item
from ..runtime.model_call import ask
from ..runtime.node import Update, node
from ..runtime.options import RunOptions
from ..runtime.reflecting_down import reflecting_down
from .learn_state import LearnState, ProposalView


@node
async def reflect(state: LearnState, options: RunOptions) -> Update:
    """Ask for the likely mistakes, then why the target was missed, then for hints.

    Returns:
        The conversation, the further misses that it is about, and the proposed hints: none of a
        model that declines to answer, as it would again. A batch that it declines does not count
        against the miss: that is tried alone.

    Raises:
        ModelDownError: The model gave no answer.
    """
    write = get_stream_writer()
    write({"event": "missed", "rank": state["rank"], "session": state.get("training_session")})
    misses: list[Miss] = []
    if options.reflection_batch > 1:
        misses = await batch_of(state, state["rank"], options.reflection_batch, options)
    talk = _DECLINED
    if len(misses) > 1:
        talk = await _unless_declined(_about_all(misses, options))
    if talk.declined:
        misses, talk = [], await _unless_declined(_about_one(state, options))
    write({"event": "diagnosis", "text": talk.diagnosis, "misses": max(1, len(misses))})
    for hint in talk.hints:
        write({"event": "hint", "text": hint})
    return {
        "reflection": {
            "diagnosis": talk.diagnosis,
            "messages": [
                {"role": message.type, "content": message.text} for message in talk.messages
            ],
            "declined": talk.declined,
        },
        "batch": [{"session": miss.session, "rank": miss.rank} for miss in misses[1:]],
        "proposals": [_proposal(hint) for hint in talk.hints],
    }


@dataclass(frozen=True, slots=True)
class _Talk:
    messages: Sequence[BaseMessage]
    diagnosis: str
    hints: Sequence[str]
    declined: bool = False


_DECLINED = _Talk((), "", (), declined=True)


async def _unless_declined(talk: Awaitable[_Talk]) -> _Talk:
    try:
        return await talk
    except ModelDownError as error:
        if error.failure != Failure.REFUSED:
            raise
        return replace(_DECLINED, diagnosis=error.problem)


async def _about_one(state: LearnState, options: RunOptions) -> _Talk:
    number, target = _target(state)
    messages = conversation(state, options)
    questions = (
        (suspect_message(), None),
        (explain_message(target, number), None),
        (advise_message(), HINTS),
    )
    answers = [await _answer(messages, question, options) for question in questions]
    _, diagnosis, advice = answers
    return _Talk(messages, diagnosis, read_hints(advice))


async def _about_all(misses: Sequence[Miss], options: RunOptions) -> _Talk:
    *messages, question = batch_messages([miss.shown for miss in misses])
    advice = await _answer(messages, (question, BATCH_HINTS), options)
    return _Talk(messages, read_cause(advice), read_hints(advice)[:MOST_WORDINGS])


async def _answer(
    messages: list[BaseMessage], asked: tuple[BaseMessage, AnswerFormat | None], options: RunOptions
) -> str:
    """Ask the next question of a conversation; question and answer are added to it."""
    question, answer_format = asked
    messages.append(question)
    reply = await ask(messages, options, "reflect", answer_format=answer_format)
    if reply.failed:
        raise reflecting_down(reply, options)
    messages.append(AIMessage(inert(reply.text)))
    return reply.text


def _target(state: LearnState) -> tuple[int, Item]:
    wanted = state.get("target")
    for number, view in enumerate(state["candidate_items"], start=1):
        if view["id"] == wanted:
            return number, item_of(view)
    raise AssertionError  # `check` has found it in the ranking


def _proposal(text: str) -> ProposalView:
    return {"text": text, "outcome": None, "reason": "", "hint_id": None, "verification": {}}
