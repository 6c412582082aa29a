"""What a model call costs, by a table of prices."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from ..errors import InputError
from ..settings import OFFLINE_MODEL
from .message_length import message_length, text_length
from .usage import Usage, read_usage

_MILLION = 1_000_000
_BYTES = 4
"""About how many bytes of text make a token."""

Prices = Mapping[str, Sequence[float]]
"""For each model, the price of a million tokens in, a million out, and a million cached ones in if
less."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call cost.

    Attributes:
        cost: The cost by the price table; `None` without a price.
        saved: How much more it would have cost, asked alone and with nothing in a cache.
    """

    cost: float | None = 0.0
    saved: float = 0.0


def bill_for(prices: Prices, model: str, usage: Usage, *, discount: float = 0.0) -> Bill:
    """Return what a call cost.

    Args:
        discount: Part of the price that the provider waives, as for batches.
    """
    counted = usage.tokens_in, usage.tokens_out
    full = call_cost(prices, model, *counted)
    cost = call_cost(prices, model, *counted, usage.tokens_cached)
    if full is None or cost is None:
        return Bill(None)
    paid = cost * (1 - discount)
    return Bill(paid, full - paid)


def call_cost(
    prices: Prices, model: str, tokens_in: int, tokens_out: int, tokens_cached: int = 0
) -> float | None:
    """Return what a call cost, or `None` if the table has no price.

    Args:
        tokens_in: Prompt tokens.
        tokens_out: Answer tokens.
        tokens_cached: Prompt tokens from the provider's cache; the model's third price counts
            for them, or the first if there are only two.
    """
    price = prices.get(model)
    if price is None:
        return 0.0 if model == OFFLINE_MODEL else None
    fresh, written, *cached = price
    tokens_fresh = tokens_in - tokens_cached
    read = cached[0] if cached else fresh
    return (tokens_fresh * fresh + tokens_cached * read + tokens_out * written) / _MILLION


def require_prices(
    prices: Prices,
    models: Sequence[str],
    limit: str = "max_cost",
    calls: str = "max_llm_calls",
) -> None:
    """Make sure that a limit of cost can be kept.

    Args:
        limit: The limit's name.
        calls: The name of the limit of calls that may take its place.

    Raises:
        InputError: One has no price.
    """
    for model in models:
        if call_cost(prices, model, 0, 0) is None:
            raise InputError(
                limit,
                f"RE2LLM_PRICES has no price for {model!r}.",
                f"Set it, for example RE2LLM_PRICES='{{\"{model}\": [0.4, 1.6]}}', "
                f"per million tokens in and out, or limit the calls by `{calls}`.",
            )


def estimated_tokens(*texts: str) -> int:
    """Estimate tokens where a model counts none."""
    return sum(math.ceil(text_length(text) / _BYTES) for text in texts)


def prompt_tokens(messages: Iterable[BaseMessage]) -> int:
    """Estimate the tokens of all that is sent: text, tool calls, other blocks and fields."""
    return sum(math.ceil(message_length(message) / _BYTES) for message in messages)


def usage_or_estimate(prompt: Sequence[BaseMessage], answer: BaseMessage) -> Usage:
    """Return what an answer says of its tokens, or an estimate."""
    usage = read_usage(answer)
    if usage is not None:
        return usage
    return Usage(prompt_tokens(prompt), prompt_tokens([answer]), estimated=True)


def prompt_key(model: str, server: str | None, messages: Sequence[BaseMessage]) -> bytes:
    """Return the digest under which an answer is kept.

    Args:
        server: Its base URL, or `None` for the provider's own.
    """
    content = json.dumps([model, server, [[message.type, message.text] for message in messages]])
    return hashlib.sha256(content.encode()).digest()
