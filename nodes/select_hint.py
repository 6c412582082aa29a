"""Node `select_hint`: chooses the hint that goes into the ranking prompt, or none."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Mapping

import numpy as np
from langgraph.runtime import Runtime
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.hints import Hint, list_hints, nearest_hints
from ..settings import HintChoice
from .context import Call, Context, resolve
from .state import RecommendState, Update

Choice = tuple[Hint | None, float]
"""The hint, or `None`, and the probability with which it was chosen."""

Chooser = Callable[[AsyncConnection, RecommendState, Call], Awaitable[Choice]]


async def select_hint(state: RecommendState, runtime: Runtime[Context]) -> Update:
    """Let the run's policy choose a hint.

    Args:
        state: With the session embedding.
        runtime: The run's options.

    Returns:
        The choice with its probability.
    """
    call = await resolve(runtime)
    async with call.services.engine.connect() as connection:
        hint, probability = await CHOOSERS[call.policy](connection, state, call)
    return {
        "hint": {
            "id": hint.id if hint else None,
            "text": hint.text if hint else None,
            "policy": call.policy,
            "probability": probability,
        }
    }


async def _none(*_: object) -> Choice:
    return None, 1.0


async def _random(connection: AsyncConnection, state: RecommendState, call: Call) -> Choice:
    hints = await list_hints(connection, state["domain_id"], status="active")
    if not hints:
        return None, 1.0
    content = json.dumps([call.seed, state["history"]])
    generator = random.Random(hashlib.sha256(content.encode()).digest())
    return generator.choice(hints), 1 / len(hints)


async def _similar(connection: AsyncConnection, state: RecommendState, _: Call) -> Choice:
    embedding = np.array(state["session_embedding"], dtype=np.float32)
    nearest = await nearest_hints(connection, state["domain_id"], embedding, count=1)
    return (nearest[0] if nearest else None), 1.0


CHOOSERS: Mapping[HintChoice, Chooser] = {
    "none": _none,
    "random": _random,
    "similar": _similar,
}
"""Every way to choose a hint. A learned policy is one more entry."""
