"""Loading, deleting, purging and learning take their locks in one order, so none is a deadlock."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any

import pytest
from re2llm.errors import InputError
from re2llm.knowledge.domain_locks import hold_hints
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.sessions.training_sessions import observe_session
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.operations.catalogue.withdraw import withdraw_items
from re2llm.operations.loading.load import load_domain
from re2llm.operations.sessions.purge import purge
from re2llm.operations.sessions.sources import drop_sessions
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

WITHIN = 60
ITEMS = [Item(id=str(n), title=f"Film {n}") for n in range(12)]
SESSIONS = [Session(history=(str(n), str(n + 1)), target=str(n + 2)) for n in range(4)]
OBSERVED = Session(history=("0", "1"), target="5")
_WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
async def shop(services: Services, domain: str, load: Callable[..., Any]) -> str:
    """A domain with a session that was observed, with a key called as the domain."""
    await load(domain, ITEMS, SESSIONS)
    await observed(services, domain, OBSERVED)
    return domain


async def observed(services: Services, domain: str, session: Session) -> None:
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        await observe_session(connection, found, session, source="local")


async def purged(_: Services, __: str) -> None:
    await purge(Context(), owner="local")


async def dropped(_: Services, domain: str) -> None:
    await drop_sessions(Context(), "local", domain=domain)


async def seen(services: Services, domain: str) -> None:
    await observed(services, domain, Session(history=("0", "2"), target="5"))


async def withdrawn(_: Services, domain: str) -> None:
    await withdraw_items(Context(), [f"id:{item.id}" for item in ITEMS], domain=domain)


async def waits(
    engine: AsyncEngine, task: asyncio.Future[Any], others: int = 0, looks: int = 200
) -> None:
    """Return once a task waits for a lock, or is done, beside others that wait."""
    async with engine.connect() as connection:
        for _ in range(looks):
            if task.done() or (await connection.scalar(_WAITING) or 0) > others:
                return
            await connection.rollback()
            await asyncio.sleep(0.05)


def looks_at(change: Callable[..., Any]) -> int:
    """Return how often to look whether a change waits; a withdrawal waits without a lock."""
    return 20 if change is withdrawn else 200


@pytest.mark.parametrize("change", [purged, dropped, seen, withdrawn])
async def test_what_changes_popularity_and_a_load_of_the_same_items_wait_for_each_other(
    services: Services, shop: str, change: Callable[[Services, str], Awaitable[None]]
) -> None:
    half, goes_on = threading.Event(), threading.Event()

    def sessions(_: Collection[str]) -> Iterator[Session]:
        half.set()
        assert goes_on.wait(WITHIN)
        yield Session(history=("6", "7"), target="8")

    renamed = [Item(id=item.id, title=f"{item.title} again") for item in ITEMS]
    loading = asyncio.ensure_future(load_domain(services, shop, renamed, [sessions]))
    assert await asyncio.to_thread(half.wait, WITHIN)  # the items are locked by now
    changing = asyncio.ensure_future(change(services, shop))
    await waits(services.engine, changing, looks=looks_at(change))
    assert not changing.done()
    goes_on.set()
    await asyncio.wait_for(asyncio.gather(loading, changing), WITHIN)
    async with services.engine.connect() as connection:
        popular = await connection.scalar(
            text(
                "SELECT popularity FROM re2llm.item AS i JOIN re2llm.domain AS d"
                " ON d.id = i.domain_id WHERE d.name = :name AND i.id = '5'"
            ),
            {"name": shop},
        )
    assert popular == {purged: 1, dropped: 1, seen: 3, withdrawn: 2}[change]


@pytest.mark.parametrize("items", [[], [*ITEMS, Item(id="12", title="Film 12")]])
async def test_a_load_and_the_same_session_observed_wait_for_each_other(
    services: Services, shop: str, items: list[Item]
) -> None:
    half, goes_on = threading.Event(), threading.Event()
    same = Session(history=("6", "7"), target="8")

    def rest(_: Collection[str]) -> Iterator[Session]:
        half.set()
        assert goes_on.wait(WITHIN)
        yield Session(history=("7", "8"), target="9")

    loading = asyncio.ensure_future(load_domain(services, shop, items, [lambda _: [same], rest]))
    assert await asyncio.to_thread(half.wait, WITHIN)  # the first is stored, but not committed
    observing = asyncio.ensure_future(observed(services, shop, same))
    await waits(services.engine, observing)
    goes_on.set()
    await asyncio.wait_for(asyncio.gather(loading, observing), WITHIN)


@pytest.mark.parametrize("change", [purged, dropped, withdrawn])
async def test_deleting_a_domain_and_purging_it_wait_for_each_other(
    services: Services, shop: str, change: Callable[[Services, str], Awaitable[None]]
) -> None:
    async with services.engine.begin() as holder:
        found = await find_domain(holder, shop)
        await hold_hints(holder, found.id)
        deleting = asyncio.ensure_future(delete_domain(Context(), shop))
        await waits(services.engine, deleting)
        changing = asyncio.ensure_future(change(services, shop))
        await waits(services.engine, changing, others=1, looks=looks_at(change))
        assert not changing.done()
    ends = await asyncio.wait_for(
        asyncio.gather(deleting, changing, return_exceptions=True), WITHIN
    )
    assert not isinstance(ends[0], BaseException)
    if change is purged:  # one that is gone holds up no other domain
        assert ends[1] is None
    else:
        assert isinstance(ends[1], InputError)
    async with services.engine.connect() as connection:
        with pytest.raises(InputError, match="There is no domain"):
            await find_domain(connection, shop)
