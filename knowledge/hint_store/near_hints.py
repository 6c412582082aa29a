"""Finds hints by meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.tables import HintRow
from .hints import Hint, hint_of, select_hints


async def nearest_hints(
    connection: AsyncConnection,
    domain_id: int,
    embedding: NDArray[np.float32],
    *,
    count: int,
    statuses: Sequence[str] = ("active",),
) -> list[tuple[Hint, float]]:
    """Return the hints nearest in meaning, nearest first.

    Args:
        embedding: Of a session or of another hint, shape `[384]`.
        count: How many at most.

    Returns:
        Each hint with its cosine similarity.
    """
    distance = HintRow.embedding.cosine_distance(embedding)
    rows = await connection.execute(
        select_hints(domain_id)
        .add_columns(distance)
        .where(HintRow.status.in_(statuses))
        .order_by(distance, HintRow.id)
        .limit(count)
    )
    return [(hint_of(row), 1 - float(row[-1])) for row in rows]
