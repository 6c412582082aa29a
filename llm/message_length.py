"""How much a server has to read of a message, whatever it holds besides text."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from .text.json_values import is_object


def text_length(text: str) -> int:
    """Return the bytes of a text in UTF-8.

    Models split it by these: a character of Chinese costs about as much as three of English.
    """
    return len(text.encode(errors="surrogatepass"))


def without_fields(
    messages: Sequence[BaseMessage], left_out: Collection[str]
) -> Sequence[BaseMessage]:
    """Return messages without fields that are kept beside them, but not sent.

    Args:
        messages: The messages; none of them is changed.
        left_out: Names in their `additional_kwargs`.
    """
    return [_without_fields(message, left_out) for message in messages]


def _without_fields(message: BaseMessage, left_out: Collection[str]) -> BaseMessage:
    given = message.additional_kwargs
    if not any(name in given for name in left_out):
        return message
    fields = {name: value for name, value in given.items() if name not in left_out}
    return message.model_copy(update={"additional_kwargs": fields})


def message_length(message: BaseMessage) -> int:
    """Return the bytes of a message as it is sent: text, tool calls, other blocks and fields.

    Args:
        message: A message of a prompt, or an answer. Plain text counts as itself, anything else as
            JSON.
    """
    content = message.content
    blocks: list[Any] = [content] if isinstance(content, str) else content
    return sum(map(_block_length, blocks)) + sum(map(_json_length, _fields(message)))


def _block_length(block: object) -> int:
    if isinstance(block, str):
        return text_length(block)
    if is_object(block) and block.keys() == {"type", "text"} and isinstance(block["text"], str):
        return text_length(block["text"])
    return _json_length(block)


def _fields(message: BaseMessage) -> list[object]:
    fields: list[object] = [message.name, message.additional_kwargs]
    if isinstance(message, AIMessage):
        for call in [*message.tool_calls, *message.invalid_tool_calls]:
            fields += [call["name"], call["args"], call["id"]]
    if isinstance(message, ToolMessage):
        fields.append(message.tool_call_id)
    return fields


def _json_length(value: object) -> int:
    if not value:
        return 0
    if isinstance(value, str):
        return text_length(value)
    return text_length(json.dumps(value, ensure_ascii=False, default=str))
