"""The hints that a policy scores for a session: all of them, or the most promising and nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import bindparam, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .embedding_column import EMBEDDING_DIM, QueryVector
from .hints import Hint, hint_of, select_hints
from .meaning import WIDE_SCAN
from .tables import HintRow

# Written once: what every request asks takes longer to put together than to answer.
_ACTIVE = select_hints(bindparam("domain")).where(HintRow.status == "active")
_PROMISING = _ACTIVE.order_by(HintRow.promise.desc(), HintRow.id).limit(bindparam("count"))
_MEANING = cast(HintRow.embedding, HALFVEC(EMBEDDING_DIM))
_NEAREST = (
    _ACTIVE.where(WIDE_SCAN)
    .order_by(_MEANING.cosine_distance(bindparam("embedding", type_=QueryVector())))
    .limit(bindparam("count"))
)


async def shortlist(
    connection: AsyncConnection, domain_id: int, embedding: NDArray[np.float32], *, count: int
) -> list[Hint]:
    """Return the active hints to choose from.

    As long as there are no more than `count`, these are all. Beyond that, one half is those with
    the most promise, and the other those nearest in meaning to the session, found by pgvector's
    index: an exact scan takes 8 ms among 10,000 hints.

    Args:
        embedding: Of the session, shape `[384]`.
        count: How many at most.

    Returns:
        The most promising first, then the nearest.
    """
    by_promise = await connection.execute(_PROMISING, {"domain": domain_id, "count": count + 1})
    best = [hint_of(row) for row in by_promise]
    if len(best) <= count:
        return best
    near = {"domain": domain_id, "embedding": embedding, "count": count // 2}
    nearest = await connection.execute(_NEAREST, near)
    # What is both near and promising leaves room for more of the promising.
    promising = count - count // 2
    ordered = [*best[:promising], *map(hint_of, nearest), *best[promising:]]
    return list({hint.id: hint for hint in ordered}.values())[:count]


async def active_among(
    connection: AsyncConnection, domain_id: int, ids: Sequence[int]
) -> list[Hint]:
    """Return those of some hints that are active."""
    statement = select_hints(domain_id).where(HintRow.status == "active", HintRow.id.in_(ids))
    return [hint_of(row) for row in await connection.execute(statement.order_by(HintRow.id))]


async def fetch_embeddings(
    connection: AsyncConnection, domain_id: int, ids: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Return the embeddings of a domain's hints by their ids; shape `[384]` each."""
    rows = await connection.execute(
        select(HintRow.id, HintRow.embedding).where(
            HintRow.domain_id == domain_id, HintRow.id.in_(ids)
        )
    )
    return {row.id: row.embedding for row in rows}
