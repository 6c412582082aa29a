"""What is kept in memory of a domain: the same as the database says, and never an older state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from re2llm.data.sample import sample_items
from re2llm.knowledge.domains import Domain, find_domain
from re2llm.knowledge.vector_search import nearest_ids
from re2llm.knowledge.withdrawn import withdraw
from re2llm.operations.loading.load import load_domain
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Item, Session
from re2llm.runtime import domain_cache
from re2llm.runtime.caches import VersionedCache
from re2llm.runtime.context import Context
from re2llm.runtime.domain_cache import (
    domain_of,
    evidence_of,
    items_of,
    known_items,
    leak_filter_of,
    most_chosen_of,
    title_search_of,
    vectors_of,
    withdrawn_of,
)
from re2llm.runtime.services import Services, open_services
from sqlalchemy import event

FILMS = sample_items()


@pytest.fixture
async def films(services: Services, load: Callable[..., Any], domain: str) -> Domain:
    twins = [Item(f"twin-{n}", "The same film", {"year": 1999}) for n in (3, 1, 2)]
    await load(domain, [*FILMS, *twins])
    return await domain_of(services, domain)


async def test_the_nearest_items_in_memory_are_those_of_the_database(
    services: Services, films: Domain
) -> None:
    kept = await vectors_of(services, films)
    assert kept is not None
    drawn = np.random.default_rng(0)
    _, embeddings = await items_of(services, films, ["twin-1", *(film.id for film in FILMS[:9])])
    excluded = ["twin-3", FILMS[0].id, FILMS[0].id, "unknown"]
    async with services.engine.connect() as connection:
        for embedding in embeddings.values():
            asked = embedding + 0.01 * drawn.standard_normal(384).astype(np.float32)
            for count in (5, 200, 1_000):
                here = kept.nearest(asked, count=count, exclude=excluded)
                there = await nearest_ids(connection, films, asked, count=count, exclude=excluded)
                assert here == there
    assert len(kept.nearest(asked, count=1_000, exclude=excluded)) == len(FILMS) + 3 - 2
    twins = kept.nearest(embeddings["twin-1"], count=3, exclude=[])
    assert twins == ["twin-1", "twin-2", "twin-3"]


async def test_what_another_process_loads_is_found_at_once(
    services: Services, films: Domain
) -> None:
    assert await vectors_of(services, films) is not None
    other = await open_services(services.settings)
    await load_domain(other, films.name, [Item("new", "A new film", {"year": 2020})], [])
    await other.close()
    now = await domain_of(services, films.name)
    kept = await vectors_of(services, now)
    _, embeddings = await items_of(services, now, ["new"])
    assert kept is not None
    assert kept.nearest(embeddings["new"], count=1, exclude=[]) == ["new"]


async def test_a_withdrawal_by_another_process_leaves_all_but_what_is_recommended(
    services: Services, films: Domain, load: Callable[..., Any]
) -> None:
    sessions = [Session((FILMS[n].id,), "twin-1") for n in range(3)]
    await load(films.name, [], sessions)
    keeping = (evidence_of, leak_filter_of, title_search_of)
    changing = (vectors_of, most_chosen_of, withdrawn_of)
    first = await domain_of(services, films.name)
    before = [await kept(services, first) for kept in (*keeping, *changing)]
    await items_of(services, first, ["twin-1"])
    other = await open_services(services.settings)
    async with other.engine.begin() as connection:
        await withdraw(connection, first, ["twin-1"])
    await other.close()
    now = await domain_of(services, films.name)
    assert all([await kept(services, now) is before.pop(0) for kept in keeping])
    assert list(known_items(services, now, ["twin-1"])) == ["twin-1"]
    vectors = await vectors_of(services, now)
    _, embeddings = await items_of(services, now, ["twin-1"])
    assert vectors is not None
    assert "twin-1" not in vectors.nearest(embeddings["twin-1"], count=3, exclude=[])
    assert "twin-1" not in await most_chosen_of(services, now)
    assert await withdrawn_of(services, now) == {"twin-1"}
    await load(films.name, [Item("twin-1", "The same film", {"year": 1999})])
    again = await domain_of(services, films.name)
    assert await withdrawn_of(services, again) == set()
    assert (await most_chosen_of(services, again))[0] == "twin-1"


async def test_a_large_catalogue_is_not_kept_in_memory(
    services: Services, films: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.caches, "vectors", VersionedCache())
    monkeypatch.setattr(domain_cache, "LARGE", len(FILMS) + 3)
    assert await vectors_of(services, films) is None


async def test_a_request_whose_items_are_in_memory_sends_one_query_and_one_write(
    services: Services, films: Domain
) -> None:
    context = Context(domain=films.name)
    session = [FILMS[0].id, FILMS[1].id]
    await recommend(context, session)
    said: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement.split(maxsplit=1)[0])

    event.listen(services.engine.sync_engine, "before_cursor_execute", note)
    try:
        await recommend(context, session)
    finally:
        event.remove(services.engine.sync_engine, "before_cursor_execute", note)
    assert said == ["SELECT", "INSERT"]


async def test_many_who_need_a_changed_domain_do_not_wait_for_each_others_connections(
    services: Services, films: Domain
) -> None:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, films.name)
    services.caches.versions = VersionedCache()
    asked = [evidence_of(services, found) for _ in range(3 * services.settings.pool_size)]
    async with asyncio.timeout(30):
        await asyncio.gather(*asked)
