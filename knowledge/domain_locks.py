"""Locks on a whole domain, on its row and on its hints, until a transaction ends."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from .schema.tables import DomainRow


async def hold_domain(connection: AsyncConnection, name: str) -> None:
    """Hold a domain alone among those that load, delete or purge, until the transaction ends.

    It comes before every other lock: loading locks items before the domain's row, deleting locks
    hints before it, and purging the other way round.

    Args:
        connection: A connection in a transaction that holds nothing yet.
        name: The domain's name; of several, each process takes them in the order of their ids.
    """
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('re2llm:' || :name, 0))"),
        {"name": name},
    )


async def try_to_hold_domain(connection: AsyncConnection, name: str) -> bool:
    """Hold a domain as `hold_domain` does if nobody else does, and return whether it is held.

    A request that waited would keep a connection as long as a load takes, and requests have few.
    """
    held = await connection.scalar(
        text("SELECT pg_try_advisory_xact_lock(hashtextextended('re2llm:' || :name, 0))"),
        {"name": name},
    )
    return bool(held)


async def hold_row(connection: AsyncConnection, domain_id: int) -> None:
    """Hold a domain's row, as `mark_changed` does, before its items and sessions are changed.

    Rows that refer to the domain can still be stored.

    Args:
        connection: A connection in a transaction.
    """
    held = select(DomainRow.id).where(DomainRow.id == domain_id)
    await connection.execute(held.with_for_update(key_share=True))


async def hold_hints(connection: AsyncConnection, domain_id: int) -> None:
    """Hold a domain's hints alone until the transaction ends.

    Args:
        connection: A connection in a transaction; a second writer of the same domain's hints waits
            for its end.
    """
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('re2llm:hints', :domain))"),
        {"domain": domain_id},
    )
