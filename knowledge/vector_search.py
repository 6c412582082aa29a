"""Finds items by meaning: a small catalogue is scanned whole, a large one through its index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    all_,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ..records import Item
from .catalogue import fetch_items
from .domains import Domain
from .schema.embedding_column import EMBEDDING_DIM
from .schema.tables import ItemRow
from .texts import storable

_LOCAL = literal(value=True)
_LEAST_WIDTH, _MOST_WIDTH = 200, 1_000  # the latter is pgvector's limit
_WIDTH = func.least(_MOST_WIDTH, func.greatest(_LEAST_WIDTH, 2 * bindparam("count", type_=Integer)))


def _set(name: str, value: ColumnElement[str]) -> ColumnElement[bool]:
    return select(func.set_config(name, value, _LOCAL)).scalar_subquery().is_not(None)


WIDE_SCAN = and_(
    _set("hnsw.iterative_scan", literal("relaxed_order")),
    _set("hnsw.ef_search", cast(_WIDTH, Text)),
)
"""A condition that has pgvector's scan look at twice as many rows as are wanted, and then go on.

By itself it looks at 40, and drops what other conditions exclude only afterwards. Set for the
statement alone, before the scan begins: PostgreSQL computes it first, as it needs no row. The
statement needs a parameter `count`. What it finds may come slightly out of order.
"""


_OTHERS = (
    ItemRow.domain_id == bindparam("domain"),
    ItemRow.id != all_(bindparam("exclude", type_=ARRAY(Text))),
    ~ItemRow.withdrawn,
)
_TO = bindparam("embedding", type_=ItemRow.embedding.type)
_DISTANCE = ItemRow.embedding.cosine_distance(_TO)
# Written once: what every request asks takes longer to put together than to answer.
_EXACT = (
    select(ItemRow.id).where(*_OTHERS).order_by(_DISTANCE, ItemRow.id).limit(bindparam("count"))
)
_FOUND = (
    select(ItemRow.id, _DISTANCE.label("distance"))
    .where(*_OTHERS, WIDE_SCAN)
    .order_by(cast(ItemRow.embedding, HALFVEC(EMBEDDING_DIM)).cosine_distance(_TO))
    .limit(bindparam("count"))
    .subquery()
)
_INDEXED = select(_FOUND.c.id).order_by(_FOUND.c.distance, _FOUND.c.id)


async def nearest_ids(
    connection: AsyncConnection,
    domain: Domain,
    embedding: NDArray[np.float32],
    *,
    count: int,
    exclude: Sequence[str],
) -> list[str]:
    """Return the ids of the items nearest in meaning, nearest first, without withdrawn ones.

    Exact, unless the catalogue is so large that it has an index.

    Args:
        embedding: What to be near to, shape `[384]`.
        count: The highest number to return.
    """
    wanted = {
        "domain": domain.id,
        "embedding": embedding,
        "count": count,
        "exclude": list(filter(storable, exclude)),
    }
    return list(await connection.scalars(_INDEXED if domain.indexed else _EXACT, wanted))


async def nearest_items(
    connection: AsyncConnection,
    domain: Domain,
    embedding: NDArray[np.float32],
    *,
    count: int,
    exclude: Sequence[str],
) -> list[Item]:
    """Return the items nearest in meaning, nearest first; see `nearest_ids`."""
    ids = await nearest_ids(connection, domain, embedding, count=count, exclude=exclude)
    items = await fetch_items(connection, domain, ids)
    return [items[id_] for id_ in ids]
