"""Finds items by meaning: a small catalogue is scanned whole, a large one through its index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import cast, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..records import Item
from .domains import Domain
from .embedding_column import EMBEDDING_DIM
from .tables import ItemRow

_LOCAL = literal(value=True)
GOES_ON = (
    select(func.set_config("hnsw.iterative_scan", "strict_order", _LOCAL))
    .scalar_subquery()
    .is_not(None)
)
"""A condition that has pgvector's scan go on until there are enough rows.

It drops what other conditions exclude after its scan, which else ends after some 40 rows. Set for
the statement alone, before the scan begins: PostgreSQL computes it first, as it needs no row.
"""


async def nearest_items(
    connection: AsyncConnection,
    domain: Domain,
    embedding: NDArray[np.float32],
    *,
    count: int,
    exclude: Sequence[str],
) -> list[Item]:
    """Return the items nearest in meaning, nearest first.

    Exact, unless the catalogue is so large that it has an index.

    Args:
        embedding: What to be near to, shape `[384]`.
        count: How many at most.
    """
    distance = ItemRow.embedding.cosine_distance(embedding)
    nearest = select(ItemRow.id, ItemRow.title, ItemRow.attributes).where(
        ItemRow.domain_id == domain.id, ItemRow.id.not_in(set(exclude))
    )
    if domain.indexed:
        rounded = cast(ItemRow.embedding, HALFVEC(EMBEDDING_DIM)).cosine_distance(embedding)
        found = (
            nearest.add_columns(distance.label("distance"))
            .where(GOES_ON)
            .order_by(rounded)
            .limit(count)
            .subquery()
        )
        nearest = select(found.c.id, found.c.title, found.c.attributes)
        nearest = nearest.order_by(found.c.distance, found.c.id)
    else:
        nearest = nearest.order_by(distance, ItemRow.id).limit(count)
    return [Item(*row) for row in await connection.execute(nearest)]
