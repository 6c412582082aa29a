"""What a chat model's response says, wherever it says it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata

from .called_tools import arguments_in, asked_for, is_asked
from .errors.error_words import error_body
from .errors.finish_reasons import is_failure, is_limit, is_refusal
from .structured import AnswerFormat
from .text.json_values import is_object, plain_name
from .text.thoughts import REASONING, without_thoughts
from .usage import as_count

_FENCE = "```"
_LANGUAGE = re.compile(r"\w{0,10}\s")
_FIRST_STEP, _LAST_STEP = "<analyze user>", "</rate>"
"""How a rating's answer begins and ends."""
LONGEST_ANSWER = 100_000
"""Characters of an answer that are read."""


def answer_text(message: BaseMessage, tool: str = "") -> str:
    """Return an answer as text, wherever the model has put it; at most 100,000 characters.

    A reasoning model's thoughts are left out, if its server has not done so.

    Args:
        tool: The name of the tool that the model was to call; models invent others beside it.
    """
    former: Any = message.additional_kwargs.get("function_call")  # OpenAI's, before tools
    text = _called(message, tool) or _said(message, tool)
    if not text.strip() and is_object(former):
        text = str(former.get("arguments") or "")
    # No database holds NUL, or halves of surrogate pairs.
    return text[:LONGEST_ANSWER].replace("\0", " ").encode(errors="replace").decode()


def _called(message: BaseMessage, tool: str) -> str:
    """Return the arguments of the calls of a tool; of those that are no JSON if there are none.

    Behind calls of invented tools alone stands the message's text, which may hold the answer.
    """
    calls: list[Any] = getattr(message, "tool_calls", None) or []
    broken: list[Any] = getattr(message, "invalid_tool_calls", None) or []
    whole = [
        (str(call["name"]), json.dumps(call["args"], ensure_ascii=False))
        for call in calls
        if call["args"]
    ]
    cut = [(str(call.get("name")), str(call["args"])) for call in broken if call.get("args")]
    called, missed = (any(is_asked(name, tool) for name, _ in some) for some in (whole, cut))
    said = asked_for(whole if whole and (called or not missed) else cut, tool)
    if tool and said and not (called or missed):
        return f"{said}\n{without_thoughts(str(message.text))}".rstrip()
    return said


def _said(message: BaseMessage, tool: str) -> str:
    written = str(message.text)
    said = without_thoughts(written)
    if said.strip():
        return said
    return arguments_in(written, tool) or _misplaced(message, tool) or said


def _misplaced(message: BaseMessage, tool: str) -> str:
    """Return the answer that a server's reasoning parser took for thoughts, or for a part of them.

    It is one if it is all of them, or stands behind a mark that ends them.
    """
    thoughts = message.additional_kwargs.get(REASONING)
    if not isinstance(thoughts, str):
        return ""
    thoughts = thoughts[:LONGEST_ANSWER]
    behind = without_thoughts(thoughts)
    if behind != thoughts:
        return behind.strip() or arguments_in(thoughts, tool)
    bare = thoughts.strip()
    if bare.startswith(_FIRST_STEP) and bare.endswith(_LAST_STEP):
        return thoughts
    if bare.startswith(_FENCE) and bare.endswith(_FENCE):
        bare = _LANGUAGE.sub("", bare.removeprefix(_FENCE).removesuffix(_FENCE), count=1)
    try:
        value: Any = json.loads(bare)
    except (ValueError, RecursionError):
        return arguments_in(thoughts, tool)
    return thoughts if is_object(value) else ""


def refused(message: BaseMessage) -> bool:
    """Whether the provider says that the model would not answer."""
    blocked = message.response_metadata.get("prompt_feedback")
    reason: Any = blocked.get("block_reason") if is_object(blocked) else None
    return (
        bool(message.additional_kwargs.get("refusal"))
        or any(is_refusal(ended) for ended in _ends(message))
        or (bool(reason) and "UNSPECIFIED" not in str(reason))
    )


def failed(message: BaseMessage) -> bool:
    """Whether the server says that it broke off, and of itself, not at a limit."""
    return any(is_failure(ended) for ended in _ends(message))


def cut_short(message: BaseMessage) -> bool:
    """Whether an answer ended at the longest length that was asked for, or that its server has."""
    return any(is_limit(ended) for ended in _ends(message))


def _ends(message: BaseMessage) -> Iterator[Any]:
    """Yield why an answer ended, under each name that servers have for that."""
    named = message.response_metadata.items()
    return (reason for key, reason in named if plain_name(key) in {"finishreason", "stopreason"})


def withheld(error: Exception) -> AIMessage | None:
    """Return the answer that OpenAI's package withholds as it ran into a limit, or was filtered.

    It is billed, though it may be empty: a model may have thought until it reached the limit.

    Args:
        error: The error as the model raised it.
    """
    completion: Any = getattr(error, "completion", None)
    try:
        choice = completion.choices[0]
        content, ended = choice.message.content, choice.finish_reason
        raw: dict[str, Any] = completion.model_dump(warnings=False).get("usage") or {}
    except (AttributeError, LookupError, TypeError):
        return None
    read, written = (
        as_count(raw.get(name)) or 0 for name in ("prompt_tokens", "completion_tokens")
    )
    counted = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    return AIMessage(
        content or "",
        usage_metadata=cast("UsageMetadata", counted) if raw else None,
        response_metadata={"token_usage": raw, "finish_reason": ended},
    )


def failed_generation(error: Exception, answer_format: AnswerFormat | None) -> AIMessage | None:
    """Return a good answer that its server took for no JSON, as Groq sends it back.

    Args:
        error: The error as the model raised it.
        answer_format: What the answer was held to; `None` for plain text, which is not sent back.
    """
    written = generated(error)
    if answer_format is None or not written or not answer_format.fits(written):
        return None
    return AIMessage(written)


def generated(error: Exception) -> str:
    """Return what a model has written that its server could not read; empty if it does not say.

    Args:
        error: The error as the model raised it.
    """
    body = error_body(error)
    held: Any = body.get("error", body) if is_object(body) else None
    written: Any = held.get("failed_generation") if is_object(held) else None
    return written[:LONGEST_ANSWER] if isinstance(written, str) else ""
