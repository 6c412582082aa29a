"""What a server sends next to a tool call, and wants to see again with the tool's answer.

DeepSeek and Kimi refuse every later turn of a chat without the thoughts that led to a call, Gemini
without the signature of those thoughts.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from ..responses import REASONING
from ..text.json_values import is_list, is_object

EXTRAS = "extra_content"
"""Gemini's field of a call; in LangChain's messages one of the message, by the calls' places."""
_NO_THOUGHTS = "I call a tool."
"""Stands for thoughts that were not kept: those of another model, or of fixed rules."""
_NO_SIGNATURE = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""What Google documents for calls of another model."""


def kept_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a message, or of a part of one, that LangChain drops.

    Args:
        message: The message as its server wrote it.
    """
    kept: dict[str, Any] = {}
    thoughts = message.get(REASONING) or message.get("reasoning")
    if thoughts:
        kept[REASONING] = thoughts
    calls: Any = message.get("tool_calls")
    extras = {
        str(call.get("index", place)): call[EXTRAS]
        for place, call in enumerate(calls if is_list(calls) else [])
        if is_object(call) and is_object(call.get(EXTRAS))
    }
    return {**kept, EXTRAS: extras} if extras else kept


def shown_again(
    sent: dict[str, Any], message: BaseMessage, *, thoughts: bool, signatures: bool, content: bool
) -> dict[str, Any]:
    """Return a message as its server wants to see it again.

    Args:
        sent: The message as LangChain writes it.
        message: What it was made of.
        thoughts: Whether to send the thoughts that led to calls.
        signatures: Whether each call needs a signature.
        content: Whether the text must not be null.
    """
    if not isinstance(message, AIMessage) or not sent.get("tool_calls"):
        return sent
    made = dict(sent)
    if content and made.get("content") is None:
        made["content"] = ""
    if thoughts:
        made[REASONING] = message.additional_kwargs.get(REASONING) or _NO_THOUGHTS
    extras: Any = message.additional_kwargs.get(EXTRAS)
    extras = extras if is_object(extras) else {}
    if extras or signatures:
        made["tool_calls"] = [
            _with_extra(call, extras.get(str(place)) or (_NO_SIGNATURE if signatures else None))
            for place, call in enumerate(sent["tool_calls"])
        ]
    return made


def _with_extra(call: dict[str, Any], extra: Any) -> dict[str, Any]:
    return {**call, EXTRAS: extra} if extra else call
