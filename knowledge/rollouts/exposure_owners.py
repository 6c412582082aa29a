"""The owners of the keys that exposures came with, and which of them are trusted."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.keys import ApiKeyDomainRow, ApiKeyRow
from ..sessions.sources import LOCAL


async def owners_of(
    connection: AsyncConnection, domain_id: int, sources: Collection[str]
) -> dict[str, str | None]:
    """Return the owners of sources.

    This machine is trusted, and so is an owner with the right to `learn`, who may promote and stop
    rollouts anyway. The only owner with a working key of the domain is trusted too.

    Args:
        domain_id: The rollout's domain.
        sources: Ids of API keys, or `local`.

    Returns:
        Each source's owner, or `None` if the owner is trusted. A source is left out if its owner
        no longer has a working key of the domain.
    """
    learns = func.bool_or(ApiKeyRow.may.contains(["learn"]))
    rows = await connection.execute(
        select(ApiKeyRow.owner, learns)
        .join(ApiKeyDomainRow, ApiKeyDomainRow.key_id == ApiKeyRow.id)
        .where(ApiKeyDomainRow.domain_id == domain_id, ApiKeyRow.revoked_at.is_(None))
        .group_by(ApiKeyRow.owner)
    )
    trusted = {owner: bool(learns) for owner, learns in rows}
    alone = len(trusted) == 1
    found: dict[str, str | None] = {LOCAL: None}
    named = select(ApiKeyRow.id, ApiKeyRow.owner).where(ApiKeyRow.id.in_(sources))
    for source, owner in await connection.execute(named):
        if owner in trusted:
            found[source] = None if alone or trusted[owner] else owner
    return found
