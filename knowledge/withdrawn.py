"""Withdrawn items: they stay known, for histories and past sessions, but are candidates no more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import BusyError
from .domain_locks import try_to_hold_domain
from .domains import Domain, find_domain, mark_withdrawn
from .membership import is_among
from .schema.tables import ItemRow


async def withdraw(connection: AsyncConnection, domain: Domain, ids: Sequence[str]) -> list[str]:
    """Withdraw items until they are loaded again.

    Args:
        connection: A connection in a transaction that holds nothing yet.
        ids: Ids of the domain's items; each counts once.

    Returns:
        Those that were not withdrawn before, sorted.

    Raises:
        BusyError: The domain is being loaded, purged or deleted.
        InputError: The domain was deleted meanwhile.
    """
    if not await try_to_hold_domain(connection, domain.name):
        raise BusyError(
            "domain",
            f"Domain {domain.name!r} is being loaded, or sessions of it deleted.",
            "Try again when that has ended.",
        )
    domain = await find_domain(connection, domain.name)  # it may have been deleted until now
    new = await connection.scalars(
        select(ItemRow.id).where(
            ItemRow.domain_id == domain.id, is_among(ItemRow.id, ids), ~ItemRow.withdrawn
        )
    )
    wanted = sorted(new)
    if wanted:
        await mark_withdrawn(connection, domain)  # first, as other writers do: else they deadlock
        await connection.execute(
            update(ItemRow)
            .where(ItemRow.domain_id == domain.id, is_among(ItemRow.id, wanted))
            .values(withdrawn=True)
        )
    return wanted


async def withdrawn_ids(connection: AsyncConnection, domain: Domain) -> frozenset[str]:
    """Return the ids of a domain's withdrawn items."""
    statement = select(ItemRow.id).where(ItemRow.domain_id == domain.id, ItemRow.withdrawn)
    return frozenset(await connection.scalars(statement))
