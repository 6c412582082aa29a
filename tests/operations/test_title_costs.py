"""Looking up hostile titles takes nothing from others: no connection, no place, no wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from keyed_runs import User
from re2llm.errors import InputError
from re2llm.knowledge.sessions.evidence import EvidenceIndex
from re2llm.knowledge.titles.search import TitleSearch
from re2llm.llm.embedding.embeddings import Embedder
from re2llm.operations.catalogue.items import search_items, show_item
from re2llm.operations.catalogue.titles import find_titles
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Item
from re2llm.runtime import domain_cache
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import granted
from re2llm.runtime.services import Services

ITEMS = [Item("1", "Alien", {}), Item("2", "Heat", {}), Item("3", "Quiz Show", {})]
PLAIN = Context(policy="none")


@pytest.fixture
async def shop(load: Callable[..., Any], domain: str) -> str:
    await load(domain, ITEMS)
    return domain


class Work:
    """What comparing and encoding were given, and the connections in use meanwhile."""

    def __init__(self, services: Services) -> None:
        self.compared: list[str] = []
        self.encoded: list[int] = []
        self.held: set[int] = set()
        self._pool: Any = services.engine.pool

    def note(self) -> None:
        self.held.add(self._pool.checkedout())


@pytest.fixture
def work(services: Services, monkeypatch: pytest.MonkeyPatch) -> Work:
    seen = Work(services)
    find, encode = TitleSearch.find, Embedder.encode

    def compare(self: TitleSearch, typed: str, **options: Any) -> Any:
        seen.compared.append(typed)
        seen.note()
        return find(self, typed, **options)

    def embed(self: Embedder, texts: Any) -> Any:
        seen.encoded.append(len(texts))
        seen.note()
        return encode(self, texts)

    monkeypatch.setattr(TitleSearch, "find", compare)
    monkeypatch.setattr(Embedder, "encode", embed)
    return seen


async def test_no_connection_is_held_while_titles_are_compared_or_encoded(
    shop: str, services: Services, work: Work
) -> None:
    made = await recommend(PLAIN, ["Alien"], domain=shop)
    pool: Any = services.engine.pool
    before = pool.checkedout()
    work.held.clear()
    await find_titles(PLAIN, ["zzqx", "wvvk"], domain=shop)
    await search_items(PLAIN, "qqzzw", domain=shop)
    for refused in (
        recommend(PLAIN, ["kkjjv"], domain=shop),
        recommend(PLAIN, ["Alien"], candidates=["kkjjv"], domain=shop),
        show_item(PLAIN, "kkjjv", domain=shop),
        give_feedback(PLAIN, made.recommendation_id or "", "kkjjv", domain=shop, learn=False),
    ):
        with pytest.raises(InputError, match="has no item"):
            await refused
    assert len(work.compared) == 7
    assert work.held == {before}


async def test_many_unknown_titles_are_encoded_together(shop: str, work: Work) -> None:
    words = [f"{number}zzqx{number * 7}" for number in range(60)]
    found = (await find_titles(PLAIN, words, domain=shop)).titles
    assert [one.typed for one in found] == words
    assert all(one.status == "unknown" and len(one.items) == 3 for one in found)
    assert sum(work.encoded) == 60
    assert len(work.encoded) == 2


@pytest.mark.parametrize("field", ["titles", "history", "candidates"])
async def test_too_many_titles_are_refused_before_any_is_looked_up(
    shop: str, work: Work, field: str
) -> None:
    words = [f"zzqx{number}" for number in range(201)]
    asked = {
        "titles": lambda: find_titles(PLAIN, words, domain=shop),
        "history": lambda: recommend(PLAIN, words, domain=shop),
        "candidates": lambda: recommend(PLAIN, ["Alien"], candidates=words, domain=shop),
    }
    with pytest.raises(InputError, match="More than 200") as refused:
        await asked[field]()
    assert refused.value.field == field
    assert (work.compared, work.encoded) == ([], [])


async def test_an_unknown_title_ends_a_request_before_the_next_is_compared(
    shop: str, work: Work
) -> None:
    with pytest.raises(InputError, match="has no item 'zzqx0'"):
        await recommend(PLAIN, [f"zzqx{number}" for number in range(50)], domain=shop)
    assert (work.compared, work.encoded) == (["zzqx0"], [1])


async def test_what_is_no_id_is_not_sent_to_the_database(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    fetch = domain_cache.fetch_items_and_embeddings

    async def fetched(connection: Any, domain: Any, ids: Any) -> Any:
        sent.extend(ids)
        return await fetch(connection, domain, ids)

    monkeypatch.setattr(domain_cache, "fetch_items_and_embeddings", fetched)
    with pytest.raises(InputError, match="More than 200"):
        await recommend(PLAIN, ["id:2", "3", *(f"{n}zzqx" for n in range(201))], domain=shop)
    assert sorted(sent) == ["2", "3"]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Keep what "slow" is compared with every title waiting."""
    opened, find = threading.Event(), TitleSearch.find

    def compare(self: TitleSearch, typed: str, **options: Any) -> Any:
        if typed.startswith("slow"):
            opened.wait(30)
        return find(self, typed, **options)

    monkeypatch.setattr(TitleSearch, "find", compare)
    yield opened
    opened.set()


async def test_one_keys_titles_leave_room_for_anothers(
    films: str, keyed: Callable[..., Any], gate: threading.Event
) -> None:
    greedy = granted(Context(), User((await keyed("greedy")).as_user()))
    modest = granted(Context(), User((await keyed("modest")).as_user()))
    many = [
        asyncio.create_task(find_titles(greedy, [f"slow{number}"], domain=films))
        for number in range(20)
    ]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        assert (await find_titles(modest, ["Alein"], domain=films)).titles[0].status != "unknown"
    assert not any(task.done() for task in many)
    gate.set()
    assert len(await asyncio.gather(*many)) == 20


async def test_items_shown_to_one_key_leave_room_for_anothers(
    films: str, keyed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, lock, threads = threading.Event(), threading.Lock(), set[int]()
    at_once = most = 0
    of = EvidenceIndex.of

    def compare(self: EvidenceIndex, history: Any, candidates: Any, **options: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            threads.add(threading.get_ident())
        opened.wait(30)
        with lock:
            at_once -= 1
        return of(self, history, candidates, **options)

    greedy = granted(Context(domain=films), User((await keyed("greedy")).as_user()))
    modest = granted(Context(domain=films), User((await keyed("modest")).as_user()))
    monkeypatch.setattr(EvidenceIndex, "of", compare)
    many = [asyncio.create_task(show_item(greedy, "Alien")) for _ in range(20)]
    await asyncio.sleep(0.2)
    async with asyncio.timeout(20):
        assert (await find_titles(modest, ["Alein"])).titles[0].status != "unknown"
    opened.set()
    shown = await asyncio.gather(*many)
    assert most <= 2
    assert threading.get_ident() not in threads
    strengths = [sum(one.evidence.values()) for one in shown[0].goes_with]
    assert strengths == sorted(strengths, reverse=True) != []
