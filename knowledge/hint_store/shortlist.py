"""The hints that a policy scores for a session: all of them, or the most promising and nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ..membership import is_among
from ..prepared import PREPARED
from ..prompted_model import PromptedModel
from ..schema.embedding_column import EMBEDDING_DIM, QueryVector
from ..schema.tables import HintRow, HintStatsRow
from ..vector_search import WIDE_SCAN
from .hints import Hint
from .stats import MEASURED, stats_for

_OF_DOMAIN = and_(HintRow.domain_id == bindparam("domain"), HintRow.status == "active")
_MEANING = cast(HintRow.embedding, HALFVEC(EMBEDDING_DIM))
_DISTANCE = _MEANING.cosine_distance(bindparam("embedding", type_=QueryVector()))


def _with_stats(few: Subquery, *order: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    named = and_(HintRow.domain_id == bindparam("domain"), HintRow.id == few.c.id)
    found = select(*MEASURED).join_from(few, HintRow, named).outerjoin(HintStatsRow, stats_for())
    return found.order_by(*order)


# Written once: what every request asks takes longer to put together than to answer.
_MOST = (
    select(HintRow.id, HintRow.promise.label("place"))
    .where(_OF_DOMAIN)
    .order_by(HintRow.promise.desc(), HintRow.id)
    .limit(bindparam("count"))
    .subquery()
)
_PROMISING = _with_stats(_MOST, _MOST.c.place.desc(), _MOST.c.id).execution_options(**PREPARED)
_NEAR = (
    select(HintRow.id, _DISTANCE.label("place"))
    .where(_OF_DOMAIN, WIDE_SCAN)
    .order_by(_DISTANCE)
    .limit(bindparam("count"))
    .subquery()
)
_NEAREST = _with_stats(_NEAR, _NEAR.c.place)
_AMONG = (
    select(*MEASURED)
    .outerjoin(HintStatsRow, stats_for())
    .where(_OF_DOMAIN, HintRow.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))))
    .order_by(HintRow.id)
)


async def shortlist(
    connection: AsyncConnection,
    domain_id: int,
    embedding: NDArray[np.float32],
    prompted_model: PromptedModel,
    *,
    count: int,
) -> list[Hint]:
    """Return the active hints to choose from, with their stats for one model and prompt.

    As long as there are no more than `count`, these are all. Beyond that, one half is those with
    the most promise, and the other those nearest in meaning to the session, found by pgvector's
    index: an exact scan takes 8 ms among 10,000 hints.

    Args:
        embedding: The session's embedding, shape `[384]`.
        count: The highest number to return.

    Returns:
        The most promising first, then the nearest.
    """
    wanted = {"domain": domain_id, **prompted_model.columns}
    best = await _hints(connection, _PROMISING, wanted | {"count": count + 1})
    if len(best) <= count:
        return best
    near = {"embedding": embedding, "count": count // 2}
    nearest = await _hints(connection, _NEAREST, wanted | near)
    # What is both near and promising leaves room for more of the promising.
    promising = count - count // 2
    ordered = [*best[:promising], *nearest, *best[promising:]]
    return list({hint.id: hint for hint in ordered}.values())[:count]


async def active_among(
    connection: AsyncConnection, domain_id: int, ids: Sequence[int], prompted_model: PromptedModel
) -> list[Hint]:
    """Return those of some hints that are active, with their stats for one model and prompt."""
    wanted = {"domain": domain_id, **prompted_model.columns, "ids": list(ids)}
    return await _hints(connection, _AMONG, wanted)


async def _hints(
    connection: AsyncConnection, statement: Select[*tuple[Any, ...]], wanted: dict[str, Any]
) -> list[Hint]:
    return [Hint(*row) for row in await connection.execute(statement, wanted)]


async def fetch_embeddings(
    connection: AsyncConnection, domain_id: int, ids: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Return the embeddings of a domain's hints by their ids; shape `[384]` each."""
    rows = await connection.execute(
        select(HintRow.id, HintRow.embedding).where(
            HintRow.domain_id == domain_id, is_among(HintRow.id, ids)
        )
    )
    return {row.id: row.embedding for row in rows}
