"""Checking and embedding hints takes no connection from others, however many one caller sends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from keyed_runs import User
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.leaks.filter import LeakFilter
from re2llm.llm.embedding.embeddings import Embedder
from re2llm.operations.catalogue.titles import find_titles
from re2llm.operations.hints.exchange import import_hints
from re2llm.operations.hints.manage import add_hint, edit_hint
from re2llm.operations.hints.try_hint import try_hint
from re2llm.operations.learning.learn import learn
from re2llm.runtime import domain_cache
from re2llm.runtime.context import Context
from re2llm.runtime.context_checks import granted
from re2llm.runtime.services import Services


class Work:
    """How often hints were checked and embedded, and how many connections were in use meanwhile."""

    def __init__(self, services: Services) -> None:
        self.checked = self.embedded = 0
        self.held: set[int] = set()
        self._pool: Any = services.engine.pool

    def note(self) -> None:
        self.held.add(self._pool.checkedout())


@pytest.fixture
def work(services: Services, monkeypatch: pytest.MonkeyPatch) -> Work:
    seen, encode = Work(services), Embedder.encode

    class Filter(LeakFilter):
        def __init__(self, *given: Any) -> None:
            seen.checked += 1
            seen.note()
            super().__init__(*given)

    def embed(self: Embedder, texts: Any) -> Any:
        seen.embedded += 1
        seen.note()
        return encode(self, texts)

    monkeypatch.setattr(domain_cache, "LeakFilter", Filter)
    monkeypatch.setattr(Embedder, "encode", embed)
    return seen


async def added(context: Context) -> None:
    made = await add_hint(context, "Prefer calm stories.")
    await edit_hint(context, made.hint_id or 0, "Prefer calm old stories.")


async def learned(context: Context) -> None:
    assert (await learn(context, max_hints=20, max_llm_calls=60, concurrency=1)).stored


WAYS: dict[str, Callable[[Context], Any]] = {
    "add": added,
    "import": lambda context: import_hints(context, ["Prefer calm stories.", "Prefer the new."]),
    "try": lambda context: try_hint(context, "Prefer calm stories.", sessions=2),
    "learn": learned,
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_connection_is_held_while_hints_are_checked_or_embedded(
    load: Callable[..., Any],
    services: Services,
    adjust: Callable[..., None],
    domain: str,
    work: Work,
    way: str,
) -> None:
    adjust(verify_random=2, verify_near=0, verify_rule="paper")
    await load(domain, sample_items(), simulate_sessions(20, seed=1))
    pool: Any = services.engine.pool
    before = pool.checkedout()
    work.held.clear()
    work.checked = work.embedded = 0
    await WAYS[way](Context(domain=domain, policy="none", seed=0))
    assert work.checked == 1
    assert work.embedded or way == "try"
    # The process has one connection for all its locks, from the first learning on.
    assert len(work.held) == 1
    assert work.held <= {before, before + (way == "learn")}


async def test_one_keys_hints_leave_room_for_anothers_requests(
    films: str, keyed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, lock, encode = threading.Event(), threading.Lock(), Embedder.encode
    at_once = most = 0

    def embed(self: Embedder, texts: Any) -> Any:
        nonlocal at_once, most
        if not texts[0].startswith("Prefer slow"):
            return encode(self, texts)
        with lock:
            at_once += 1
            most = max(most, at_once)
        opened.wait(30)
        with lock:
            at_once -= 1
        return encode(self, texts)

    monkeypatch.setattr(Embedder, "encode", embed)
    greedy = granted(Context(domain=films), User((await keyed("greedy")).as_user()))
    modest = granted(Context(domain=films), User((await keyed("modest")).as_user()))
    many = [
        asyncio.create_task(add_hint(greedy, f"Prefer slow stories, {number} at once."))
        for number in range(40)
    ]
    await asyncio.sleep(0.3)
    try:
        async with asyncio.timeout(20):
            found = await find_titles(modest, ["Alein"])
            other = await add_hint(modest, "Prefer quick stories.")
        assert found.titles[0].status != "unknown"
        assert other.outcome == "stored"
        assert not any(task.done() for task in many)
    finally:
        opened.set()
    assert {one.outcome for one in await asyncio.gather(*many)} == {"stored"}
    assert most == 1
