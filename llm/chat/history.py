"""Makes a chat's history fit to send: text alone, and every tool call has its answer after it."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from ..prompt_data import inert
from ..text.call_signatures import EXTRAS, signatures_in
from ..text.json_values import is_list, is_object
from ..text.thoughts import REASONING, THOUGHT_BLOCKS

NOT_TEXT = "(I sent something that is not text. It cannot be read here.)"
"""Stands for a person's message that holds no text."""
_INTERRUPTED = "This call was interrupted before it gave an answer."
_CALL_BLOCKS = THOUGHT_BLOCKS | {"function_call", "tool_call", "tool_use"}
"""Blocks that some providers must see again next to a tool call to accept its answer."""
_NOT_OF_CALLS = frozenset({"audio", "function_call"})
"""Fields that are no part of a tool call."""
_DEEPEST = 20
"""Values within values in the arguments of a call; those of ours have three."""


def with_calls_answered(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Repair the history of a thread whose runs may have been cancelled.

    A call without an answer gets one that says so, an answer without a call is left out, and so are
    calls that could not be read. Providers refuse such a history, and every later turn with it.

    Args:
        messages: The messages of the thread, oldest first.

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
    """Leave out what is no text, and break the control tokens of chat templates in the rest.

    People write a thread's messages, and so does a model that has read what people and catalogues
    wrote. Servers would open the addresses in other blocks, such as images. A message that calls
    tools keeps its calls, and its model's thoughts.

    Args:
        messages: The messages of the thread; none of them is changed.
    """
    return [_with_inert_text(message) for message in messages]


def _with_inert_text(message: BaseMessage) -> BaseMessage:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    fields = _fields_of_calls(message.additional_kwargs) if calls else {}
    update: dict[str, Any] = {
        "content": _inert_content(message.content, _CALL_BLOCKS if calls else frozenset()),
        "additional_kwargs": _inert_value(fields),
    }
    if isinstance(message, HumanMessage) and message.content and not update["content"]:
        update["content"] = NOT_TEXT
    if isinstance(message, AIMessage):
        update["tool_calls"] = [{**call, "args": _inert_value(call["args"])} for call in calls]
    kept = all(getattr(message, name) == value for name, value in update.items())
    return message if kept else message.model_copy(update=update)


def _fields_of_calls(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what may be sent again next to calls, in the form that servers know.

    Callers write messages, too, and a server that refuses a field would count as one without tools.
    """
    made = {name: value for name, value in fields.items() if name not in _NOT_OF_CALLS}
    if not isinstance(made.get(REASONING, ""), str):
        del made[REASONING]
    if signed := signatures_in(made.pop(EXTRAS, None)):
        made[EXTRAS] = signed
    return made


def _inert_content(content: str | list[Any], kept: AbstractSet[str]) -> str | list[Any]:
    """Return a message's content as inert text.

    Args:
        kept: Types of other blocks that stay.
    """
    if isinstance(content, str):
        return inert(content)
    blocks = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return [clean for block in blocks for clean in _inert_block(block, kept)] or ""


def _inert_block(block: object, kept: AbstractSet[str]) -> list[dict[str, Any]]:
    if not is_object(block):
        return []
    if (kind := str(block.get("type"))) in THOUGHT_BLOCKS | kept:
        return [block] if kind in kept else []
    # Nothing else of the block: servers read fields of media beside its text.
    text = block.get("text")
    return [{"type": "text", "text": inert(text)}] if isinstance(text, str) else []


def _inert_value(value: object, depth: int = 0) -> object:
    if depth > _DEEPEST:
        return None
    if is_object(value):
        return {key: _inert_value(inner, depth + 1) for key, inner in value.items()}
    if is_list(value):
        return [_inert_value(inner, depth + 1) for inner in value]
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
