"""What a model's answer has cost in tokens, wherever its server says so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from .text.json_values import is_object

TIMINGS = "timings"
"""The key in which llama.cpp counts tokens, besides the `usage` that all servers send."""

_DETAILS = "prompt_tokens_details"
_READ = ("prompt_tokens", "input_tokens", "prompt_eval_count", "promptTokenCount")
_WRITTEN = ("completion_tokens", "output_tokens", "eval_count", "candidatesTokenCount")
_CACHED = ("cached_tokens", "cache_read_input_tokens")
"""Keys in a raw `usage`: Moonshot and Together; Anthropic, also behind a proxy."""
_HIT = "prompt_cache_hit_tokens"
"""DeepSeek's key; it is always a part of the prompt's tokens."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one question and its answer.

    Attributes:
        tokens_in: Tokens of the prompt, cached ones included.
        tokens_out: Tokens of the answer.
        tokens_cached: Tokens of the prompt that the provider had in its cache.
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
"""The usage of a call without an answer."""


def read_usage(message: BaseMessage) -> Usage | None:
    """Return what an answer says of its tokens, or `None` if it says nothing."""
    if not isinstance(message, AIMessage) or message.usage_metadata is None:
        return None
    usage = message.usage_metadata
    raw = _raw(message)
    read, written = as_count(usage["input_tokens"]), as_count(usage["output_tokens"])
    if not usage["input_tokens"]:  # no prompt has no tokens, so they have another name
        read, written = _named(raw, _READ) or None, _named(raw, _WRITTEN)
    if read is None or written is None:
        return None
    apart, cached = _most([raw.get(name) for name in _CACHED]), _most(_cached(raw, usage))
    whole = max(as_count(usage.get("total_tokens")) or 0, _named(raw, ("total_tokens",)) or 0)
    if apart > read or (cached and whole == read + written + cached):
        read += cached  # its server counts them apart
    cached = max(cached, min(_most(_hits(message, raw)), read))
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
    counts = (as_count(raw.get(name)) for name in names)
    return max((count for count in counts if count is not None), default=None)


def as_count(tokens: object) -> int | None:
    """Return a server's count within bounds: less than nothing would give budgets money back.

    Args:
        tokens: As it was sent.

    Returns:
        `None` for what is no number: budgets could not be compared with it.
    """
    if isinstance(tokens, float) and math.isfinite(tokens):
        tokens = round(tokens)
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        return None
    return min(max(tokens, 0), _MOST)


def _cached(raw: Mapping[str, Any], usage: Mapping[str, Any]) -> list[Any]:
    """Return the cached prompt tokens under each name that servers have for them."""
    read: dict[str, Any] = usage.get("input_token_details") or {}
    # A service tier is written before the name, as in `priority_cache_read`.
    found = [count for name, count in read.items() if name.endswith("cache_read")]
    details = raw.get(_DETAILS)
    found += [details.get("cached_tokens")] if is_object(details) else []
    return found + [raw.get(name) for name in _CACHED]


def _hits(message: BaseMessage, raw: Mapping[str, Any]) -> list[Any]:
    """Return the same under names that mean a part of the prompt's tokens."""
    timings = message.response_metadata.get(TIMINGS)
    return [raw.get(_HIT), timings.get("cache_n") if is_object(timings) else None]


def _most(counts: Sequence[Any]) -> int:
    """Return the largest count, 0 where there is none."""
    whole = (count for count in counts if isinstance(count, int) and not isinstance(count, bool))
    return min(max([0, *whole]), _MOST)
