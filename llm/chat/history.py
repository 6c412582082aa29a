"""Makes a chat's history fit to send: every tool call has its answer, right after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ..prompt_data import inert
from ..text.json_values import is_list, is_object

_INTERRUPTED = "This call was interrupted before it gave an answer."


def with_calls_answered(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Repair the history of a thread whose runs may have been cancelled.

    A call without an answer gets one that says so, an answer without a call is left out, and so are
    calls that could not be read. Providers refuse such a history, and every later turn with it.

    Args:
        messages: Of the thread, oldest first.

    Returns:
        The same messages if nothing was wrong; none of them is changed.
    """
    repaired: list[BaseMessage] = []
    spoken = [place for place, m in enumerate(messages) if isinstance(m, AIMessage)]
    until = dict(zip(spoken, [*spoken[1:], len(messages)], strict=False))
    for place, message in enumerate(messages):
        if isinstance(message, AIMessage):
            following = messages[place + 1 : until[place]]
            repaired += _with_answers(message, following, place)
        elif not isinstance(message, ToolMessage):
            repaired.append(message)
    return repaired


def with_inert_text(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Break the control tokens of chat templates in everything that a thread holds.

    People write its messages, and so does a model that has read what people and catalogues wrote.

    Args:
        messages: Of the thread; none of them is changed.
    """
    return [_with_inert_text(message) for message in messages]


def _with_inert_text(message: BaseMessage) -> BaseMessage:
    update: dict[str, Any] = {"content": _inert_content(message.content)}
    if isinstance(message, AIMessage):
        calls = [{**call, "args": _inert_value(call["args"])} for call in message.tool_calls]
        update["tool_calls"] = calls
    kept = all(getattr(message, name) == value for name, value in update.items())
    return message if kept else message.model_copy(update=update)


def _inert_content(content: object) -> object:
    """Return a message's content with inert text; other blocks, such as images, stay."""
    if is_list(content):
        return [_inert_block(block) for block in content]
    return inert(content) if isinstance(content, str) else content


def _inert_block(block: object) -> object:
    if is_object(block) and isinstance(block.get("text"), str):
        return {**block, "text": inert(block["text"])}
    return inert(block) if isinstance(block, str) else block


def _inert_value(value: object) -> object:
    if is_object(value):
        return {key: _inert_value(inner) for key, inner in value.items()}
    if is_list(value):
        return [_inert_value(inner) for inner in value]
    return inert(value) if isinstance(value, str) else value


def _with_answers(
    message: AIMessage, following: Sequence[BaseMessage], place: int
) -> list[BaseMessage]:
    unread = message.invalid_tool_calls or "tool_calls" in message.additional_kwargs
    nameless = any(not call["id"] for call in message.tool_calls)
    if unread or nameless:
        calls = [
            {**call, "id": call["id"] or f"call-{place}-{number}"}
            for number, call in enumerate(message.tool_calls)
        ]
        fields = {k: v for k, v in message.additional_kwargs.items() if k != "tool_calls"}
        message = message.model_copy(
            update={"tool_calls": calls, "invalid_tool_calls": [], "additional_kwargs": fields}
        )
        if not calls and not message.content:
            return []
    answers = {m.tool_call_id: m for m in reversed(following) if isinstance(m, ToolMessage)}
    return [
        message,
        *(
            answers.get(call["id"] or "")
            or ToolMessage(_INTERRUPTED, tool_call_id=call["id"], name=call["name"], status="error")
            for call in message.tool_calls
        ),
    ]
