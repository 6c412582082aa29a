"""The embeddings of a small catalogue, in memory: a search by meaning reads them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from .domains import Domain
from .schema.tables import ItemRow


class ItemVectors:
    """The embeddings of a catalogue's items.

    Args:
        ids: The ids of the items, in the order in which those at the same distance are named.
        vectors: Shape `[items, 384]`.
    """

    def __init__(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._ids = ids
        self._rows = {id_: row for row, id_ in enumerate(ids)}
        self._vectors = vectors
        self._lengths = np.maximum(np.linalg.norm(vectors, axis=1), np.finfo(np.float32).tiny)

    @property
    def nbytes(self) -> int:
        """How much memory the embeddings take."""
        return self._vectors.nbytes

    def nearest(
        self, embedding: NDArray[np.float32], *, count: int, exclude: Sequence[str]
    ) -> list[str]:
        """Return the ids of the items nearest in meaning, nearest first.

        Args:
            embedding: What to be near to, shape `[384]`.
            count: The highest number to return.
            exclude: Ids of items that are not wanted.
        """
        # Row by row: a product of matrices may give equal rows numbers that differ in a bit.
        likeness = np.einsum("ij,j->i", self._vectors, embedding) / self._lengths
        known = [self._rows[id_] for id_ in dict.fromkeys(exclude) if id_ in self._rows]
        likeness[known] = -np.inf
        count = min(count, len(likeness) - len(known))
        order: list[int] = np.argsort(-likeness, kind="stable")[:count].tolist()
        return [self._ids[row] for row in order]


async def item_vectors(
    connection: AsyncConnection, domain: Domain, *, fewer_than: int
) -> ItemVectors | None:
    """Return the embeddings of a catalogue, or `None` where it has too many items, or none.

    Withdrawn items are left out: these are what candidates are found among.
    """
    found = await connection.execute(
        select(ItemRow.id, ItemRow.embedding)
        .where(ItemRow.domain_id == domain.id, ~ItemRow.withdrawn)
        .order_by(ItemRow.id)
        .limit(fewer_than)
    )
    rows = found.all()
    if not rows or len(rows) == fewer_than:
        return None
    return ItemVectors([row[0] for row in rows], np.stack([row[1] for row in rows]))
