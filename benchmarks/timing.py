"""Times an asynchronous call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Timing:
    """How long calls took.

    Attributes:
        name: Of what was called.
        hints: In the knowledge base.
        calls: How many were timed.
        p50_ms: Median, in milliseconds.
        p95_ms: 95th percentile, in milliseconds.
    """

    name: str
    hints: int
    calls: int
    p50_ms: float
    p95_ms: float

    def as_dict(self, bare: Timing) -> dict[str, Any]:
        """Return the times, with their ratios to a bare query in the same run."""
        return {
            **asdict(self),
            "p50_ratio": round(self.p50_ms / bare.p50_ms, 2),
            "p95_ratio": round(self.p95_ms / bare.p95_ms, 2),
        }


async def timed(
    name: str,
    hints: int,
    call: Callable[[int], Awaitable[object]],
    *,
    calls: int,
    warm_up: int = 20,
) -> Timing:
    """Time one call after another.

    Args:
        name: Of what is called.
        hints: In the knowledge base.
        call: Told the number of the call.
        calls: How many to time.
        warm_up: Calls before those, which fill caches and connections.
    """
    for number in range(warm_up):
        await call(number)
    spent: list[float] = []
    for number in range(calls):
        started = time.perf_counter()
        await call(number)
        spent.append((time.perf_counter() - started) * 1000)
    p50, p95 = np.percentile(spent, [50, 95]).tolist()
    return Timing(name, hints, calls, round(p50, 3), round(p95, 3))
