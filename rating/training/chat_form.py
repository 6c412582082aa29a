"""Writes prompts for a chat template that takes no system message, as Gemma's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import convert_to_messages, convert_to_openai_messages

from ...errors import InputError
from ...llm.client.adapting import without_system
from .model_source import said_of

ChatMessages = Sequence[dict[str, Any]]
"""A prompt as roles and contents."""

_TEXT = "1"


def fitting_prompts(tokenizer: Any, prompts: Sequence[ChatMessages]) -> list[ChatMessages]:
    """Return prompts as a tokenizer's template takes them, the same as they are served.

    Where it refuses system messages, their text comes first in the user's message.
    """
    if _refusal(tokenizer, "system", "user") is None:
        return list(prompts)
    return [
        convert_to_openai_messages(without_system(convert_to_messages(prompt)))
        for prompt in prompts
    ]


def check_template(tokenizer: Any, source: object) -> None:
    """Raise `InputError` where a tokenizer's template writes no conversation at all.

    Args:
        source: What the tokenizer was loaded from, for the message.
    """
    if tokenizer.chat_template is None:
        raise InputError("model", f"{source} has no chat template.", "Use a model for chats.")
    if refusal := _refusal(tokenizer, "user"):
        raise InputError(
            "model",
            f"The chat template of {source} cannot be used ({refusal}).",
            "Use another model for chats.",
        )


def _refusal(tokenizer: Any, *roles: str) -> str | None:
    """Return why the template does not write messages of these roles, `None` where it does."""
    messages = [{"role": role, "content": _TEXT} for role in roles]
    try:
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # noqa: BLE001  # a template is a program, and may fail as one
        return said_of(error)
    return None
