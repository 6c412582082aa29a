"""Under which keys a hint's trials are found: its own, and those of what was merged into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.tables import HintRow
from .trials import Gain


async def keys_by_hint(connection: AsyncConnection, domain_id: int) -> dict[int, list[bytes]]:
    """Return the keys of each hint of a domain: its own first, then those merged into it."""
    rows = await connection.execute(
        select(HintRow.id, HintRow.key, HintRow.merged_into)
        .where(HintRow.domain_id == domain_id)
        .order_by(HintRow.id)
    )
    every = list(rows)
    keys = {row.id: [row.key] for row in every}
    for row in every:
        if row.merged_into is not None:
            keys[row.merged_into].append(row.key)
    return keys


async def keys_of(connection: AsyncConnection, domain_id: int, key: bytes) -> list[bytes]:
    """Return the keys of one hint: its own first, then those merged into it.

    Args:
        key: Its own, from `hint_key`; of a text that is not stored, it is the only one.
    """
    hint = select(HintRow.id).where(HintRow.domain_id == domain_id, HintRow.key == key)
    merged = await connection.scalars(
        select(HintRow.key)
        .where(HintRow.domain_id == domain_id, HintRow.merged_into == hint.scalar_subquery())
        .order_by(HintRow.id)
    )
    return [key, *merged]


def first_gains(paid: Iterable[Gain], keys: Sequence[bytes]) -> dict[int, float]:
    """Return a hint's gains by session, where its own trial counts before a merged one's.

    Args:
        paid: Paid gains of any hints.
        keys: Keys from `keys_of`.
    """
    place = {key: at for at, key in enumerate(keys)}
    known = [one for one in paid if one.hint_key in place]
    known.sort(key=lambda one: place[one.hint_key], reverse=True)
    return {one.session_id: one.gain for one in known}
