"""Which release a domain serves, and the lock for changing that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .schema.tables import ReleaseRow

_ACTIVE = select(ReleaseRow.number).where(
    ReleaseRow.domain_id == bindparam("domain"), ReleaseRow.status == "active"
)


async def hold_served(connection: AsyncConnection, domain_id: int) -> None:
    """Hold alone, until the transaction ends, which releases a domain serves.

    Code that changes the active release or a rollout holds this first, then the rollout's row, then
    the hints. What is read before that may be out of date.

    Args:
        connection: A connection in a transaction; a second one in the same domain waits for its
            end.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(served_lock(domain_id))))


def served_lock(domain_id: object) -> Any:
    """Return the key of the lock that `hold_served` takes, of a number or a column."""
    return func.hashtextextended("re2llm:rollout", domain_id)


async def active_release_number(connection: AsyncConnection, domain_id: int) -> int | None:
    """Return the number of the active release, if there is one."""
    return await connection.scalar(_ACTIVE, {"domain": domain_id})
