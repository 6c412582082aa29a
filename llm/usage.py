"""What a model's answer has cost in tokens, wherever its server says so."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from .json_values import is_object

TIMINGS = "timings"
"""Where llama.cpp counts tokens, beside the `usage` that all servers send."""

_DETAILS = "prompt_tokens_details"
_READ = ("prompt_tokens", "input_tokens", "prompt_eval_count", "promptTokenCount")
_WRITTEN = ("completion_tokens", "output_tokens", "eval_count", "candidatesTokenCount")
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
    if not isinstance(message, AIMessage) or message.usage_metadata is None:
        return None
    usage = message.usage_metadata
    raw = _raw(message)
    read, written = _counted(usage["input_tokens"]), _counted(usage["output_tokens"])
    if not read:  # no prompt has no tokens, so they have another name
        read, written = _named(raw, _READ), _named(raw, _WRITTEN)
    if not read or written is None:
        return None
    cached = max(_cached(message, usage), default=0)
    whole = max(_counted(usage.get("total_tokens")) or 0, _named(raw, ("total_tokens",)) or 0)
    if cached > read or (cached and whole == read + written + cached):
        read += cached  # its server counts them apart
    # Reasoning is billed, and some servers count it in the total alone.
    written = max(written, whole - read)
    if not written and (str(message.text).strip() or message.tool_calls):
        return None
    return Usage(min(read, _MOST), min(written, _MOST), min(cached, read, _MOST))


def _raw(message: BaseMessage) -> dict[str, Any]:
    metadata: dict[str, Any] = message.response_metadata
    raw = metadata.get("token_usage") or metadata.get("usage")
    return raw if is_object(raw) else {}


def _named(raw: Mapping[str, Any], names: Sequence[str]) -> int | None:
    counts = (_counted(raw.get(name)) for name in names)
    return max((count for count in counts if count is not None), default=None)


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
    raw, timings = _raw(message), message.response_metadata.get(TIMINGS)
    read: dict[str, Any] = usage.get("input_token_details") or {}
    # A service tier is written before the name, as in `priority_cache_read`.
    found = [count for name, count in read.items() if name.endswith("cache_read")]
    details = raw.get(_DETAILS)
    found += [details.get("cached_tokens")] if is_object(details) else []
    found += [raw.get(name) for name in _CACHED]
    if is_object(timings):
        found.append(timings.get("cache_n"))
    for count in found:
        if isinstance(count, int) and count > 0:
            yield count
