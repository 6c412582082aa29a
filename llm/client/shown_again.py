"""What a server sends next to a tool call, and wants to see again with the tool's answer.

DeepSeek and Kimi refuse every later turn of a chat without the thoughts that led to a call, Gemini
without the signature of those thoughts.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from ..text.call_signatures import EXTRAS, signatures_in
from ..text.json_values import is_list, is_object
from ..text.thoughts import REASONING

_NO_THOUGHTS = "I call a tool."
"""Stands for thoughts that were not kept: those of another model, or of fixed rules."""
_NO_SIGNATURE = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""What Google documents for calls of another model."""


def kept_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a message, or of a part of one, that LangChain drops.

    Args:
        message: The message as its server wrote it.
    """
    # Texts alone: LangChain adds up those of all parts, and raises over anything else.
    thoughts = [message.get(name) for name in (REASONING, "reasoning")]
    said = [one for one in thoughts if isinstance(one, str) and one]
    kept: dict[str, Any] = {REASONING: said[0]} if said else {}
    calls: Any = message.get("tool_calls")
    extras = signatures_in(
        {
            call.get("index", place): call.get(EXTRAS)
            for place, call in enumerate(calls if is_list(calls) else [])
            if is_object(call)
        }
    )
    return {**kept, EXTRAS: extras} if extras else kept


def unsent_fields(model: object) -> frozenset[str]:
    """Return which fields of messages a model does not send, as no server has asked it to.

    Args:
        model: A chat model, ours or another, which may send all.
    """
    fields = {REASONING: "sends_thoughts", EXTRAS: "sends_signatures"}
    return frozenset(name for name, sends in fields.items() if not getattr(model, sends, True))


def shown_again(
    sent: dict[str, Any], message: BaseMessage, *, thoughts: bool, signatures: bool, content: bool
) -> dict[str, Any]:
    """Return a message as its server wants to see it again.

    Args:
        sent: The message as LangChain writes it.
        message: What it was made of.
        thoughts: Whether to send the thoughts that led to calls.
        signatures: Whether each call needs a signature. Other servers refuse such a field.
        content: Whether the text must not be null.
    """
    if not isinstance(message, AIMessage) or not sent.get("tool_calls"):
        return sent
    made = dict(sent)
    if content and made.get("content") is None:
        made["content"] = ""
    if thoughts:
        kept: Any = message.additional_kwargs.get(REASONING)
        made[REASONING] = kept if isinstance(kept, str) and kept else _NO_THOUGHTS
    if signatures:
        extras = signatures_in(message.additional_kwargs.get(EXTRAS))
        made["tool_calls"] = [
            {**call, EXTRAS: extras.get(str(place), _NO_SIGNATURE)}
            for place, call in enumerate(sent["tool_calls"])
        ]
    return made
