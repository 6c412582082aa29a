"""What a chat model's response says, wherever it says it."""

from __future__ import annotations

import json
import re
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

_LONGEST = 100_000
_THOUGHTS = re.compile(
    r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)"
    # Some chat templates open the tag in the prompt.
    r"|\A.*?</think(?:ing)?>[ \t]*(?=[\n{\[<]|\Z)",
    re.DOTALL,
)


def answer_text(message: BaseMessage) -> str:
    """Return an answer as text, wherever the model has put it; at most 100,000 characters.

    What a reasoning model thinks before it answers is left out, where its server does not.

    Args:
        message: Of the model.
    """
    calls: list[Any] = getattr(message, "tool_calls", None) or []
    broken: list[Any] = getattr(message, "invalid_tool_calls", None) or []
    if calls:
        text = json.dumps(calls[0]["args"], ensure_ascii=False)
    elif broken and broken[0].get("args"):
        text = str(broken[0]["args"])
    else:
        text = _THOUGHTS.sub("", message.text, count=1)
    # No database holds NUL, or halves of surrogate pairs.
    return text[:_LONGEST].replace("\0", " ").encode(errors="replace").decode()


def refused(message: BaseMessage) -> bool:
    """Whether the provider says that the model would not answer.

    Args:
        message: Of the model.
    """
    reason = message.response_metadata.get("finish_reason")
    return bool(message.additional_kwargs.get("refusal")) or reason in {"content_filter", "refusal"}


def cut_short(error: Exception) -> AIMessage | None:
    """Return the answer that OpenAI's package withholds because it ran into a length limit.

    Args:
        error: As the model raised it.
    """
    completion: Any = getattr(error, "completion", None)
    try:
        content, usage = completion.choices[0].message.content, completion.usage
    except (AttributeError, LookupError):
        return None
    if not content or "ContentFilter" in type(error).__name__:
        return None
    counted = usage and {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    return AIMessage(content, usage_metadata=counted or None)
