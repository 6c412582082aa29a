"""Attempts to make better hints of known ones, so that what failed is not paid for again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.reflections import ProposalRow
from ..schema.tables import HintRow

_GROWN = 2
"""A failed attempt is worth another try when there are this many times as many sessions."""


async def store_failed_attempt(
    connection: AsyncConnection,
    domain_id: int,
    parents: Collection[int],
    sessions: int,
    about: Mapping[str, Any],
) -> None:
    """Keep that nothing better could be made of hints.

    No text is kept, since it may tell of the sessions that its author has seen.

    Args:
        connection: A connection in a transaction.
        parents: Ids of the hints.
        sessions: How many could show that a child is better.
        about: The models and the prompt with which it failed, as JSON.
    """
    await connection.execute(
        insert(ProposalRow).values(
            domain_id=domain_id,
            text="",
            outcome="ineffective",
            reason="Nothing better could be made of these hints.",
            verification={"parents": sorted(parents), "sessions": sessions, "about": dict(about)},
        )
    )


async def failed_attempts(
    connection: AsyncConnection, domain_id: int, sessions: int, about: Mapping[str, Any]
) -> list[frozenset[int]]:
    """Return the parents of the attempts that failed, oldest first.

    Args:
        sessions: How many can show now that a child is better. With many more than then, a failed
            attempt does not count.
        about: As for `store_failed_attempt`.
    """
    rows = await connection.scalars(
        select(ProposalRow.verification["parents"])
        .where(
            ProposalRow.domain_id == domain_id,
            ProposalRow.outcome == "ineffective",
            ProposalRow.verification.contains({"about": dict(about)}),
            ProposalRow.verification["sessions"].as_integer() * _GROWN > sessions,
        )
        .order_by(ProposalRow.id)
    )
    return [frozenset(parents) for parents in rows]


async def parents_of_children(connection: AsyncConnection, domain_id: int) -> list[frozenset[int]]:
    """Return the parents of the hints that were made of others."""
    rows = await connection.scalars(
        select(HintRow.provenance["parents"]).where(
            HintRow.domain_id == domain_id,
            HintRow.provenance.contains({"source": "improvement"}),
        )
    )
    return [frozenset(parents) for parents in rows]
