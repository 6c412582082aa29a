"""Finds the known hint that a new one repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.hint_store.hints import Hint
from ...knowledge.hint_store.near_hints import nearest_known
from ...llm.hints.reflection_prompt import comparison_messages
from ...llm.hints.repeat_answers import read_repeated
from ...runtime.model_call import ask
from ...runtime.options import RunOptions

CLOSE = 0.75
"""At this cosine or more, the model is asked whether two hints say the same."""
COMPARED = 5
"""Nearest hints that the model compares a new one with."""


async def embed(text: str, options: RunOptions) -> NDArray[np.float32]:
    """Embed a hint off the event loop, shape `[384]`."""
    return (await asyncio.to_thread(options.services.embedder.encode, [text]))[0]


async def close_hints(
    connection: AsyncConnection,
    domain_id: int,
    embedding: NDArray[np.float32],
    options: RunOptions,
) -> list[Hint]:
    """Return the hints of any status that might say the same, nearest first.

    A hint that was retired by trials of another model or prompt may help with this one, so learning
    it again is no repeat.

    Args:
        embedding: The embedding of a text, `[384]`.
    """
    near = await nearest_known(
        connection, domain_id, embedding, options.prompted_model, count=COMPARED
    )
    return [hint for hint, cosine in near if cosine >= CLOSE]


async def repeated_hint(text: str, known: Sequence[Hint], options: RunOptions) -> Hint | None:
    """Ask the model which of the known hints gives the same advice.

    The same words need no model. An answer that says neither yes nor no counts as no: verification
    has shown that the hint helps, and a doubtful repeat does less harm than a lost hint.
    """
    same = next((hint for hint in known if hint.text.casefold() == text.casefold()), None)
    if same is not None or not known:
        return same
    messages = comparison_messages(text, [hint.text for hint in known])
    reply = await ask(messages, options, "compare")
    number = read_repeated(reply.text, len(known))
    return known[number - 1] if number else None
