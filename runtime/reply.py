"""What comes back from a model, and what it was asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from ..knowledge.log.llm_calls import PaidAnswer

Purpose = Literal["rank", "rate", "trace", "repair", "reflect", "compare"]
"""The purpose of a question. The last two go to the reflecting model."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from the model.

    Attributes:
        text: Its answer; empty if the call failed.
        failed: Whether the call failed.
        latency_ms: Wall-clock milliseconds, retries and pauses included.
        tokens_in: Prompt tokens, 0 where the model does not count them.
        tokens_out: Answer tokens, likewise.
        tokens_cached: Prompt tokens that the provider had in its cache.
        calls: Requests made, retries included; 0 for an answer that was paid for before.
        failure: The kind of failure; empty if there was none.
        said: The provider's own words about it, for the operator of the model; else empty.
        shortened: Whether a shorter prompt was asked than the first.
        paid: The answer that was paid for before, if this is one.
    """

    text: str
    failed: bool
    latency_ms: float
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    calls: int = 1
    failure: str = ""
    said: str = ""
    shortened: bool = False
    paid: PaidAnswer | None = None


def served_again(paid: PaidAnswer, latency_ms: float) -> Reply:
    """Return an answer that was paid for before, which takes no tokens now.

    Args:
        latency_ms: Milliseconds until it was found.
    """
    return Reply(paid.text, failed=False, latency_ms=latency_ms, calls=0, paid=paid)


def milliseconds_since(started: float) -> float:
    """Return the time since a reading of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000


def no_reply(failure: str, latency_ms: float = 0.0) -> Reply:
    """Return the reply of a question that was not answered.

    Args:
        failure: The kind of failure.
        latency_ms: Milliseconds until it failed.
    """
    return Reply("", failed=True, latency_ms=latency_ms, calls=0, failure=failure)
