"""Finds hints by meaning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompted_model import PromptedModel
from ..schema.tables import HintRow
from .bringing_back import retired_elsewhere
from .hints import Hint, hint_of, select_hints


async def nearest_hints(
    connection: AsyncConnection,
    domain_id: int,
    embedding: NDArray[np.float32],
    *,
    count: int,
) -> list[tuple[Hint, float]]:
    """Return the active hints nearest in meaning, nearest first.

    Args:
        embedding: The embedding of a session or of another hint, shape `[384]`.
        count: The highest number to return.

    Returns:
        Each hint with its cosine similarity.
    """
    return await _nearest(connection, domain_id, embedding, count, HintRow.status == "active")


async def nearest_known(
    connection: AsyncConnection,
    domain_id: int,
    embedding: NDArray[np.float32],
    prompted_model: PromptedModel,
    *,
    count: int,
) -> list[tuple[Hint, float]]:
    """Return the nearest hints of any status, without those that may be learned again.

    Args:
        embedding: As for `nearest_hints`, shape `[384]`.
        prompted_model: The model and its prompt.
        count: The highest number to return.

    Returns:
        Each hint with its cosine similarity, nearest first.
    """
    known = ~retired_elsewhere(prompted_model)
    return await _nearest(connection, domain_id, embedding, count, known)


async def _nearest(
    connection: AsyncConnection,
    domain_id: int,
    embedding: NDArray[np.float32],
    count: int,
    among: ColumnElement[bool],
) -> list[tuple[Hint, float]]:
    distance = HintRow.embedding.cosine_distance(embedding)
    rows = await connection.execute(
        select_hints(domain_id)
        .add_columns(distance)
        .where(among)
        .order_by(distance, HintRow.id)
        .limit(count)
    )
    return [(hint_of(row), 1 - float(row[-1])) for row in rows]
