"""Where training sessions came from, and how many sessions of one source count as evidence."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.keys import ApiKeyRow
from ..schema.tables import SessionRow

FILE = "file"
"""The source of what was loaded; trusted."""
LOCAL = "local"
"""The source of what came without an API key; trusted. Other sources are the ids of keys."""


async def keyed_sessions(connection: AsyncConnection, domain_id: int) -> dict[int, str]:
    """Return the sessions that came with an API key: the key's id by the session's key."""
    rows = await connection.execute(
        select(SessionRow.id, SessionRow.source).where(
            SessionRow.domain_id == domain_id,
            SessionRow.source != FILE,
            SessionRow.source != LOCAL,
        )
    )
    return {row.id: row.source for row in rows}


@dataclass(frozen=True, slots=True)
class Source:
    """The training sessions of one source.

    Attributes:
        source: `file`, `local`, or the id of an API key.
        owner: The key's owner; `None` without a key.
        sessions: How many.
        first: When the first was stored; `None` if only sessions without a date are.
        last: When the last was stored.
    """

    source: str
    owner: str | None
    sessions: int
    first: dt.datetime | None
    last: dt.datetime | None


async def list_sources(connection: AsyncConnection, domain_id: int) -> list[Source]:
    """Return the sources of a domain's training sessions, the largest first."""
    rows = await connection.execute(
        select(
            SessionRow.source,
            func.min(ApiKeyRow.owner),
            func.count(),
            func.min(SessionRow.created_at),
            func.max(SessionRow.created_at),
        )
        .outerjoin(ApiKeyRow, ApiKeyRow.id == SessionRow.source)
        .where(SessionRow.domain_id == domain_id)
        .group_by(SessionRow.source)
        .order_by(func.count().desc(), SessionRow.source)
    )
    return [Source(*row) for row in rows]


async def within_share(
    connection: AsyncConnection, domain_id: int, keys: Sequence[int], share: float
) -> list[int]:
    """Return training sessions in their order, without the surplus of any one API key.

    Args:
        keys: The keys of training sessions.
        share: The largest part of the result that may come with one key.
    """
    keyed = await keyed_sessions(connection, domain_id)
    there = {key: keyed[key] for key in keys if key in keyed}
    beyond = beyond_share(there, len(keys), share)
    return [key for key in keys if key not in beyond]


def beyond_share(keyed: Mapping[int, str], total: int, share: float) -> frozenset[int]:
    """Return the surplus sessions: without them, no API key has more than its share.

    Args:
        keyed: The key's id of each session that came with a key.
        total: How many sessions there are, keyed or not.
        share: The largest part of the remaining sessions that may come with one key, from 0 to 1.

    Returns:
        Their keys. Which sessions of a source count is random, but a session that comes later
        changes little.
    """
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for key, source in keyed.items():
        by_source[source].append(key)
    allowed = _allowed([len(keys) for keys in by_source.values()], total - len(keyed), share)
    return frozenset(
        key for keys in by_source.values() for key in sorted(keys, key=_place)[allowed:]
    )


def _place(key: int) -> bytes:
    return hashlib.blake2b(str(key).encode(), digest_size=8).digest()


def _allowed(counts: Collection[int], trusted: int, share: float) -> int:
    """Return how many sessions of one source may count, given that the others are capped too.

    The allowed number grows with the number of sessions that count, and that grows with the allowed
    number, but ever more slowly. So all numbers up to the largest one fit.
    """
    low, high = 0, max(counts, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        counted = trusted + sum(min(count, middle) for count in counts)
        if middle <= share * counted:
            low = middle
        else:
            high = middle - 1
    return low
