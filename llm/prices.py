"""What a model call costs, by a table of prices."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from langchain_core.messages import BaseMessage

from ..errors import InputError
from ..settings import OFFLINE_MODEL

_MILLION = 1_000_000
_CHARACTERS = 4
"""Of English text in a token, about."""

Prices = Mapping[str, tuple[float, float]]


def call_cost(prices: Prices, model: str, tokens_in: int, tokens_out: int) -> float | None:
    """Return what a call cost, or `None` if the table has no price.

    Args:
        prices: By model, of a million tokens in and of a million out.
        tokens_in: Prompt tokens.
        tokens_out: Answer tokens.
    """
    if model == OFFLINE_MODEL:
        return 0.0
    price = prices.get(model)
    if price is None:
        return None
    return (tokens_in * price[0] + tokens_out * price[1]) / _MILLION


def require_prices(prices: Prices, models: Sequence[str]) -> None:
    """Make sure that a limit of cost can be kept.

    Raises:
        InputError: One has no price.
    """
    for model in models:
        if call_cost(prices, model, 0, 0) is None:
            raise InputError(
                "--max-cost",
                f"RE2LLM_PRICES has no price for {model!r}.",
                f"Set it, for example RE2LLM_PRICES='{{\"{model}\": [0.4, 1.6]}}', "
                "per million tokens in and out.",
            )


def estimated_tokens(*texts: str) -> int:
    """Estimate tokens where a model counts none."""
    return sum(math.ceil(len(text) / _CHARACTERS) for text in texts)


def prompt_key(model: str, server: str | None, messages: Sequence[BaseMessage]) -> bytes:
    """Return the digest under which an answer is kept.

    Args:
        server: Its base URL, or `None` for the provider's own.
    """
    content = json.dumps([model, server, [[message.type, message.text] for message in messages]])
    return hashlib.sha256(content.encode()).digest()
