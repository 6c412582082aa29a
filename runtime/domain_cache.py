"""What is kept in memory of each domain until its sessions or items change.

A withdrawal changes only what is recommended: the rest, which takes long to build, stays.

What is there already needs no connection. Call none of it with one in hand: tasks that all hold one
and wait for the same value would leave none to read it with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy.ext.asyncio import AsyncConnection

from ..arrays import Floats32
from ..knowledge.catalogue import all_items, catalogue_order, fetch_items_and_embeddings
from ..knowledge.domains import Domain, find_domain
from ..knowledge.hnsw_index import LARGE
from ..knowledge.item_vectors import ItemVectors, item_vectors
from ..knowledge.leaks.filter import LeakFilter
from ..knowledge.sessions.evidence import EvidenceIndex
from ..knowledge.sessions.sources import keyed_sessions
from ..knowledge.sessions.training_sessions import training_sessions
from ..knowledge.titles.search import TitleSearch
from ..knowledge.withdrawn import withdrawn_ids
from ..records import Item
from .services import Services

_MOST_CHOSEN = 1_000


async def domain_of(
    services: Services, name: str, *, among: AbstractSet[str] | None = None
) -> Domain:
    """Look a domain up by name, once for all who ask at the same time; see `find_domain`.

    Raises:
        InputError: There is none of that name that the caller may know of.
    """

    async def read(connection: AsyncConnection) -> Domain:
        return await find_domain(connection, name, among=among)

    key = ("domain", name, None if among is None else frozenset(among))
    return await services.read_once(key, read)


async def evidence_of(services: Services, domain: Domain) -> EvidenceIndex | None:
    """Return the evidence of a domain's training sessions, or `None` where there are none."""

    async def build() -> EvidenceIndex | None:
        async with services.autocommit.connect() as connection:
            sessions = await training_sessions(connection, domain)
            if not sessions:
                return None
            order = await catalogue_order(connection, domain)
            keyed = await keyed_sessions(connection, domain.id)
        return await asyncio.to_thread(
            EvidenceIndex, sessions, order, domain.recent_from, keyed=keyed, share=share
        )

    share = services.settings.source_share
    return await services.caches.versions.get(
        "evidence", domain.id, (domain.revision, share), build
    )


def known_items(
    services: Services, domain: Domain, ids: Sequence[str]
) -> dict[str, tuple[Item, Floats32]]:
    """Return those of some items that are in memory, with their embeddings, shape `[384]`."""
    kept, place = services.caches.items, (domain.id, domain.revision)
    wanted = dict.fromkeys(ids)
    return {id_: found for id_ in wanted if (found := kept.get((*place, id_))) is not None}


async def items_of(
    services: Services, domain: Domain, ids: Sequence[str]
) -> tuple[dict[str, Item], dict[str, Floats32]]:
    """Return the items of the given ids, and their embeddings, shape `[384]` each.

    Unknown ids are absent from both.
    """
    known = known_items(services, domain, ids)
    missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
    if missing:
        async with services.autocommit.connect() as connection:
            items, embeddings = await fetch_items_and_embeddings(connection, domain, missing)
        for id_, item in items.items():
            place = (domain.id, domain.revision, id_)
            known[id_] = services.caches.items[place] = (item, embeddings[id_])
    return (
        {id_: item for id_, (item, _) in known.items()},
        {id_: embedding for id_, (_, embedding) in known.items()},
    )


async def most_chosen_of(services: Services, domain: Domain) -> Sequence[str]:
    """Return the ids of a domain's most chosen items, most chosen first, 1,000 at most.

    Of no item, one API key's sessions count for more than their share. Withdrawn items are left
    out.
    """

    async def build() -> Sequence[str]:
        index = await evidence_of(services, domain)
        if index is None:
            return []
        withdrawn = await withdrawn_of(services, domain)
        chosen = await asyncio.to_thread(index.most_chosen, _MOST_CHOSEN + len(withdrawn))
        return [item for item in chosen if item not in withdrawn][:_MOST_CHOSEN]

    version = (domain.offer, services.settings.source_share)
    return await services.caches.versions.get("most chosen", domain.id, version, build)


async def withdrawn_of(services: Services, domain: Domain) -> frozenset[str]:
    """Return the ids of a domain's withdrawn items."""

    async def build() -> frozenset[str]:
        async with services.autocommit.connect() as connection:
            return await withdrawn_ids(connection, domain)

    return await services.caches.versions.get("withdrawn", domain.id, domain.offer, build)


async def vectors_of(services: Services, domain: Domain) -> ItemVectors | None:
    """Return the embeddings of a domain's items, or `None` where its catalogue is large."""

    async def build() -> ItemVectors | None:
        async with services.autocommit.connect() as connection:
            return await item_vectors(connection, domain, fewer_than=LARGE)

    if domain.indexed:
        return None
    return await services.caches.vectors.get("vectors", domain.id, domain.offer, build)


async def leak_filter_of(services: Services, domain: Domain) -> LeakFilter:
    """Return the filter that knows all titles of a domain."""

    async def build() -> LeakFilter:
        async with services.autocommit.connect() as connection:
            items = await all_items(connection, domain)
        return await asyncio.to_thread(LeakFilter, items)

    return await services.caches.versions.get("leaks", domain.id, domain.revision, build)


async def title_search_of(services: Services, domain: Domain) -> TitleSearch:
    """Return what finds a domain's items by what people call them."""

    async def build() -> TitleSearch:
        async with services.autocommit.connect() as connection:
            items = await all_items(connection, domain)
        return await asyncio.to_thread(TitleSearch, items)

    return await services.caches.versions.get("titles", domain.id, domain.revision, build)
