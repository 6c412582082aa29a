"""Finding items by meaning: exact in a small catalogue, through an index of its own in a large."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest
from re2llm.knowledge import hnsw_index
from re2llm.knowledge.catalogue import catalogue_order, fetch_items, store_items
from re2llm.knowledge.domains import Domain, claim_domain, find_domain
from re2llm.knowledge.hnsw_index import index_meaning
from re2llm.knowledge.vector_search import nearest_items
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.records import Item
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

LARGE, SMALL = 4_000, 10
Made = Callable[[int], Awaitable[Domain]]


def items(count: int) -> list[Item]:
    return [Item(f"i{n}", f"Title {n}", {"number": n, "tags": ["a|b", "ü"]}) for n in range(count)]


def vectors(count: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, 384)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
async def made(services: Services) -> AsyncIterator[Made]:
    names: list[str] = []

    async def make(count: int) -> Domain:
        names.append(f"meaning-{uuid.uuid4().hex[:8]}")
        async with services.engine.begin() as connection:
            domain = await claim_domain(connection, names[-1], ENCODER_ID)
            await store_items(connection, domain, items(count), vectors(count, count))
        return domain

    yield make
    for name in names:
        await delete_domain(Context(), name)
    left = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'ix_item_meaning_%'"
    async with services.engine.connect() as connection:
        assert await connection.scalar(text(left)) == 0


def connecting(url: str, options: str) -> AsyncEngine:
    return create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        connect_args={"options": options},
    )


async def nearest(
    services: Services,
    domain: Domain,
    to: np.ndarray,
    count: int,
    engine: AsyncEngine | None = None,
) -> list[str]:
    async with (engine or services.autocommit).connect() as connection:
        known = await find_domain(connection, domain.name)
        found = await nearest_items(connection, known, to, count=count, exclude=["i3"])
    return [item.id for item in found]


def by_hand(count: int, to: np.ndarray, wanted: int) -> list[str]:
    order = np.argsort(-(vectors(count, count) @ to), kind="stable")
    return [f"i{n}" for n in order if n != 3][:wanted]


@pytest.mark.long
@pytest.mark.usefixtures("_small_index")
async def test_each_large_catalogue_has_an_index_and_a_small_one_beside_it_stays_exact(
    services: Services, made: Made, url: str
) -> None:
    large, small = await made(LARGE), await made(SMALL)
    to = vectors(1, 7)[0]
    exact = await nearest(services, large, to, 100)
    assert exact == by_hand(LARGE, to, 100)
    advanced: list[tuple[int, int]] = []
    for domain, count in ((large, LARGE), (small, SMALL), (large, LARGE)):
        done = await index_meaning(
            services.autocommit, domain, count, lambda *step: advanced.append(step)
        )
        assert done is None
    async with services.engine.connect() as connection:
        indexed = [(await find_domain(connection, d.name)).indexed for d in (large, small)]
    assert indexed == [True, False]
    # In so small a table, the planner may prefer to read it all.
    by_index = connecting(url, "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off")
    found = await nearest(services, large, to, 100, by_index)
    await by_index.dispose()
    assert len(found) == len(set(found)) == 100
    # Approximate, but as good as any index, and in exact order.
    assert len(set(found) & set(exact)) >= 80
    assert found == [item for item in by_hand(LARGE, to, LARGE) if item in set(found)]
    assert await nearest(services, small, to, 100) == by_hand(SMALL, to, SMALL - 1)


@pytest.fixture
def _small_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hnsw_index, "LARGE", LARGE)


@pytest.mark.long
@pytest.mark.usefixtures("_small_index")
async def test_an_interrupted_build_is_done_again(services: Services, made: Made) -> None:
    domain = await made(LARGE)
    await index_meaning(services.autocommit, domain, LARGE, lambda *_: None)
    invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:name)"
    name = f"re2llm.{hnsw_index.meaning_index(domain.id)}"
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
    async with services.engine.begin() as connection:
        await connection.execute(text(invalid), {"name": name})
    assert len(await nearest(services, domain, vectors(1, 7)[0], 50)) == 50
    await index_meaning(services.autocommit, domain, LARGE, lambda *_: None)
    async with services.engine.connect() as connection:
        assert await connection.scalar(text(valid), {"name": name})


@pytest.mark.long
@pytest.mark.usefixtures("_small_index")
async def test_a_build_that_fails_says_why_and_the_next_load_builds(
    services: Services, made: Made, url: str
) -> None:
    domain = await made(LARGE)
    hasty = connecting(url, "-c statement_timeout=100")
    fault = await index_meaning(hasty, domain, LARGE, lambda *_: None)
    await hasty.dispose()
    assert fault
    assert "statement timeout" in fault
    assert f"CREATE INDEX CONCURRENTLY {hnsw_index.meaning_index(domain.id)} ON" in fault
    assert await index_meaning(services.autocommit, domain, LARGE, lambda *_: None) is None
    async with services.engine.connect() as connection:
        assert (await find_domain(connection, domain.name)).indexed


@pytest.mark.usefixtures("_small_index")
@pytest.mark.slow  # two processes wait for the same build
async def test_two_loads_at_once_build_one_index(services: Services, made: Made) -> None:
    domain = await made(LARGE)
    built = [index_meaning(services.autocommit, domain, LARGE, lambda *_: None) for _ in range(2)]
    assert await asyncio.gather(*built) == [None, None]
    async with services.engine.connect() as connection:
        assert (await find_domain(connection, domain.name)).indexed


async def test_items_are_stored_in_order_and_replaced_in_place(
    services: Services, made: Made
) -> None:
    domain = await made(SMALL)
    changed = [Item("new", "A | title", {}), Item("i2", "Changed", {"number": 5})]
    async with services.engine.begin() as connection:
        await store_items(connection, domain, changed, vectors(2, 1))
        order = await catalogue_order(connection, domain)
        found = await fetch_items(connection, domain, ["i1", "i2", "new"])
    assert order == [f"i{n}" for n in range(SMALL)] + ["new"]
    assert found["i2"] == changed[1]
    assert found["new"] == changed[0]
    assert found["i1"] == items(SMALL)[1]
