"""Makes what a model says, and the tools that it calls, fit for a chat."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from langchain_core.messages import AIMessage, ToolCall
from langchain_core.messages.tool import tool_call

from ..text.thoughts import with_text, without_thoughts_in
from ..text.turn_tokens import own_turn
from .text_calls import split_calls, tool_named

_ADDRESSED = re.compile(r"\bto=[\w.]{1,80}")
"""A call of gpt-oss: it has a channel of its own, which goes with the thoughts."""


def fit_answer(message: AIMessage, tools: Collection[str]) -> AIMessage:
    """Return a model's message without thoughts and marks; its calls have ids and tools' names.

    Calls that a server has left in the text count where it has found none itself.

    Args:
        message: The message as the model wrote it.
        tools: Names of the tools that the model has.
    """
    answer = without_thoughts_in(message)
    spoken = str(answer.text)
    said, written = split_calls(spoken, tools)
    if not (said.strip() or written) and (
        addressed := [*_ADDRESSED.finditer(raw := str(message.text))]
    ):
        _, written = split_calls(f"<tool_call>{raw[addressed[-1].start() :]}", tools)
    said = own_turn(said)
    calls = answer.tool_calls or [tool_call(name=n, args=a, id=None) for n, a in written]
    update: dict[str, Any] = {"tool_calls": _fit_calls(calls, tools)}
    if said != spoken:
        content = answer.content
        update["content"] = said if isinstance(content, str) else with_text(content, said)
    return answer.model_copy(update=update)


def _fit_calls(calls: Sequence[ToolCall], tools: Collection[str]) -> list[ToolCall]:
    fit: list[ToolCall] = []
    known: set[str] = set()
    for call in calls:
        id_ = "" if call.get("id") is None else str(call["id"])
        if not id_ or id_ in known:
            id_ = f"call_{uuid.uuid4().hex[:12]}"
        known.add(id_)
        fit.append({**call, "name": tool_named(call["name"], tools), "id": id_})
    return fit
