"""What is kept in memory of each domain until its sessions or items change."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.catalogue import all_items, catalogue_order
from ..knowledge.domains import Domain
from ..knowledge.evidence import EvidenceIndex
from ..knowledge.leaks.filter import LeakFilter
from ..knowledge.sources import keyed_sessions
from ..knowledge.titles.search import TitleSearch
from ..knowledge.training_sessions import training_sessions
from .services import Services


async def evidence_of(
    services: Services, connection: AsyncConnection, domain: Domain
) -> EvidenceIndex | None:
    """Return the evidence of a domain's training sessions, or `None` where there are none."""

    async def build() -> EvidenceIndex | None:
        sessions = await training_sessions(connection, domain)
        if not sessions:
            return None
        order = await catalogue_order(connection, domain)
        keyed = await keyed_sessions(connection, domain.id)
        return await asyncio.to_thread(
            EvidenceIndex, sessions, order, domain.recent_from, keyed=keyed, share=share
        )

    share = services.settings.source_share
    return await services.versions.get("evidence", domain.id, (domain.revision, share), build)


async def leak_filter_of(
    services: Services, connection: AsyncConnection, domain: Domain
) -> LeakFilter:
    """Return the filter that knows all titles of a domain."""

    async def build() -> LeakFilter:
        return await asyncio.to_thread(LeakFilter, await all_items(connection, domain))

    return await services.versions.get("leaks", domain.id, domain.revision, build)


async def title_search_of(
    services: Services, connection: AsyncConnection, domain: Domain
) -> TitleSearch:
    """Return what finds a domain's items by what people call them."""

    async def build() -> TitleSearch:
        return await asyncio.to_thread(TitleSearch, await all_items(connection, domain))

    return await services.versions.get("titles", domain.id, domain.revision, build)
