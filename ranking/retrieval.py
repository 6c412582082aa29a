"""Finds candidates for a request that names none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.catalogue import most_chosen_items
from ..knowledge.domains import Domain
from ..knowledge.meaning import nearest_items
from ..records import Item

_POOL = 200
"""Items of each kind that the first stage chooses from."""


async def retrieved(
    connection: AsyncConnection,
    domain: Domain,
    history: Sequence[str],
    embedding: NDArray[np.float32],
    count: int,
    *,
    warm: bool,
) -> list[Item]:
    """Return the items nearest in meaning and the most chosen ones, without the history.

    Args:
        embedding: Of the session, shape `[384]`.
        count: How many candidates are wanted.
        warm: Whether there are training sessions; without them only meaning counts.

    Returns:
        At least `count` items, if the catalogue has as many; the first stage keeps the best.
    """
    most = max(_POOL, count) if warm else count
    near = await nearest_items(connection, domain, embedding, count=most, exclude=history)
    if not warm:
        return near
    chosen = await most_chosen_items(connection, domain, count=_POOL, exclude=history)
    return list({item.id: item for item in [*near, *chosen]}.values())
