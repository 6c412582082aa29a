"""One call of the ranking model, which never raises because of the model."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from .context import Call

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from the model.

    Attributes:
        text: Its answer; empty if the call failed.
        failed: Whether the call failed.
        latency_ms: Wall-clock milliseconds.
        tokens_in: Prompt tokens, 0 where the model does not count them.
        tokens_out: Answer tokens, likewise.
    """

    text: str
    failed: bool
    latency_ms: float
    tokens_in: int = 0
    tokens_out: int = 0


async def ask(messages: Sequence[BaseMessage], call: Call) -> Reply:
    """Ask the run's model.

    Args:
        messages: The prompt.
        call: The run's options.

    Raises:
        InputError: The model's name or key cannot be used at all.
        BudgetSpentError: No further call may be paid.
    """
    if call.budget is not None:
        call.budget.claim_call()
    model = await call.services.model(call.model)
    started = time.perf_counter()
    try:
        # Tagged so that rankings do not leak into a chat's token stream.
        answer = await model.ainvoke(list(messages), {"tags": ["langsmith:nostream"]})
    except Exception as error:  # noqa: BLE001  # any provider's failure ends in a flagged ranking
        _log.warning("model %s failed: %s", call.model, type(error).__name__)
        return Reply("", failed=True, latency_ms=_since(started))
    usage = answer.usage_metadata
    if call.budget is not None and usage is not None:
        call.budget.tokens += usage["total_tokens"]
    return Reply(
        answer.text,
        failed=False,
        latency_ms=_since(started),
        tokens_in=usage["input_tokens"] if usage else 0,
        tokens_out=usage["output_tokens"] if usage else 0,
    )


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
