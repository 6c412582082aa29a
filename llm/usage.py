"""What a model's answer has cost in tokens, wherever its server says so."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from .json_values import is_object

TIMINGS = "timings"
"""Where llama.cpp counts tokens, beside the `usage` that all servers send."""

_DETAILS = "prompt_tokens_details"
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
"""In a raw `usage`: Moonshot and Together; DeepSeek; Anthropic, also behind a proxy."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one question and its answer.

    Attributes:
        tokens_in: Of the prompt, cached ones included.
        tokens_out: Of the answer.
        tokens_cached: Of the prompt, those that the provider had in its cache.
        estimated: Whether the model did not count them.
    """

    tokens_in: int
    tokens_out: int
    tokens_cached: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.tokens_cached + other.tokens_cached,
            self.estimated or other.estimated,
        )


_MOST = 10**9
NOTHING = Usage(0, 0)
"""Of a call without an answer."""


def read_usage(message: BaseMessage) -> Usage | None:
    """Return what an answer says of its tokens, or `None` if it says nothing."""
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    if usage is None:
        return None
    read, written = _counted(usage["input_tokens"]), _counted(usage["output_tokens"])
    if read is None or written is None:
        return None
    return Usage(read, written, min(max(_cached(message, usage), default=0), read))


def _counted(tokens: object) -> int | None:
    """Return a server's count within bounds: less than nothing would give budgets money back.

    `None` for what is no number: budgets could not be compared with it.
    """
    if isinstance(tokens, float) and math.isfinite(tokens):
        tokens = round(tokens)
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        return None
    return min(max(tokens, 0), _MOST)


def _cached(message: BaseMessage, usage: Mapping[str, Any]) -> Iterator[int]:
    """Return the cached prompt tokens under each name that servers have for them."""
    metadata: dict[str, Any] = message.response_metadata
    raw = metadata.get("token_usage") or metadata.get("usage")
    timings = metadata.get(TIMINGS)
    read: dict[str, Any] = usage.get("input_token_details") or {}
    # A service tier is written before the name, as in `priority_cache_read`.
    found = [count for name, count in read.items() if name.endswith("cache_read")]
    if is_object(raw):
        details = raw.get(_DETAILS)
        found += [details.get("cached_tokens")] if is_object(details) else []
        found += [raw.get(name) for name in _CACHED]
    if is_object(timings):
        found.append(timings.get("cache_n"))
    for count in found:
        if isinstance(count, int) and count > 0:
            yield count
