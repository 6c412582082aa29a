"""The training sessions of a domain: what popularity, evidence and baselines may know."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ..records import Session
from .domains import Domain
from .tables import SessionRow

_BATCH = 1000


async def store_sessions(
    connection: AsyncConnection, domain: Domain, sessions: Iterable[Session]
) -> int:
    """Add the sessions that are not stored yet.

    A file loaded twice adds nothing; a session that occurs twice *within* a file counts twice.

    Args:
        connection: In a transaction.
        domain: Where they belong.
        sessions: All with a target, as one file holds them.

    Returns:
        How many were new.
    """
    before = await count_sessions(connection, domain)
    rows = _rows(domain, sessions)
    while batch := list(islice(rows, _BATCH)):
        await connection.execute(insert(SessionRow).on_conflict_do_nothing(), batch)
    return await count_sessions(connection, domain) - before


def _rows(domain: Domain, sessions: Iterable[Session]) -> Iterator[dict[str, object]]:
    repeats: Counter[bytes] = Counter()
    for session in sessions:
        content = json.dumps([session.history, session.target, session.candidates])
        digest = hashlib.sha256(content.encode()).digest()
        repeats[digest] += 1
        yield {
            "domain_id": domain.id,
            "key": digest + repeats[digest].to_bytes(4, "big"),
            "history": list(session.history),
            "target": session.target,
            "candidates": list(session.candidates) if session.candidates else None,
        }


async def count_sessions(connection: AsyncConnection, domain: Domain) -> int:
    """Return how many training sessions a domain has.

    Args:
        connection: An open connection.
        domain: Which one.
    """
    statement = select(func.count()).where(SessionRow.domain_id == domain.id)
    return await connection.scalar(statement) or 0


async def training_sessions(
    connection: AsyncConnection, domain: Domain
) -> list[tuple[int, Session]]:
    """Return all training sessions with their keys, in the order they were loaded.

    Args:
        connection: An open connection.
        domain: Which one.
    """
    rows = await connection.execute(
        select(SessionRow.id, SessionRow.history, SessionRow.target, SessionRow.candidates)
        .where(SessionRow.domain_id == domain.id)
        .order_by(SessionRow.id)
    )
    return [
        (row.id, Session(tuple(row.history), row.target, _maybe_tuple(row.candidates)))
        for row in rows
    ]


def _maybe_tuple(ids: list[str] | None) -> tuple[str, ...] | None:
    return None if ids is None else tuple(ids)
