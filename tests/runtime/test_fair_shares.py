"""One owner's requests, however they hang or fail, leave room for another's."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fault_server import FaultServer
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.llm.client.limits import Limits
from re2llm.llm.errors.failures import ModelFailedError
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

IDS = [film.id for film in load_films()]


async def hold(limits: Limits, owner: str, log: list[str], until: asyncio.Event) -> None:
    async with limits.place(30, owner):
        log.append(owner)
        await until.wait()


async def started(limits: Limits, *owners: str) -> tuple[list[str], asyncio.Event, list[Any]]:
    log: list[str] = []
    until = asyncio.Event()
    tasks = [asyncio.create_task(hold(limits, owner, log, until)) for owner in owners]
    await asyncio.sleep(0.01)
    return log, until, tasks


async def test_without_keys_every_place_may_be_taken() -> None:
    log, until, tasks = await started(Limits(4, None), *[""] * 9)
    assert len(log) == 4
    until.set()
    await asyncio.gather(*tasks)
    assert len(log) == 9


async def test_an_owner_holds_no_more_than_it_leaves_free() -> None:
    log, until, tasks = await started(Limits(8, None), *"aaaaaaaaaa", *"bbbbbb", *"cccc")
    assert [log.count(owner) for owner in "abc"] == [4, 2, 1]
    until.set()
    await asyncio.gather(*tasks)
    assert len(log) == 20


async def test_owners_take_turns() -> None:
    limits = Limits(1, None)
    log, until, tasks = await started(limits, *"aaaabbc")
    assert log == ["a"]
    until.set()
    await asyncio.gather(*tasks)
    assert log == [*"aabcaba"]


async def test_a_place_is_given_back_whatever_happens() -> None:
    limits = Limits(2, None)
    for _ in range(20):
        _, until, tasks = await started(limits, *"aaabbb")
        for task in tasks[::2]:
            task.cancel()
        with pytest.raises(ModelFailedError, match="busy"):
            async with limits.place(0.0, "c"), limits.place(0.0, "c"):
                pass
        until.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    log, until, tasks = await started(limits, "a", "b")
    assert len(log) == 2
    until.set()
    await asyncio.gather(*tasks)


async def test_the_pace_serves_owners_in_turn() -> None:
    limits = Limits(10, 50.0)
    log, until, tasks = await started(limits, *"aaaaaa")
    until.set()
    await asyncio.gather(*tasks, hold(limits, "b", log, until))
    assert log.index("b") < 5  # not after the six


@pytest.fixture
def servers() -> Iterator[tuple[FaultServer, ...]]:
    with ExitStack() as stack:
        yield tuple(stack.enter_context(FaultServer().running()) for _ in range(2))


@pytest.fixture
def register(services: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def make(server: FaultServer) -> str:
        name = f"shared-{uuid.uuid4().hex[:8]}"
        services.models.register(
            name,
            ChatOpenAI(
                model=name, base_url=server.url, api_key=SecretStr("sk-none"), max_retries=0
            ),
        )
        return name

    # A fresh one: this test's owners are the first with keys.
    monkeypatch.setattr(services.models, "_limits", Limits(8, None))
    return make


def ask(films: str, caller: Caller, model: str, at: int) -> Any:
    request: Any = {"domain": films, "history": IDS[at : at + 3], "candidates": IDS[200:206]}
    context = Context(caller=caller, model=model, policy="none", record=False)
    return graph.ainvoke(request, context=context)


@pytest.mark.long
@pytest.mark.timeout(60)
async def test_a_hundred_hanging_calls_of_one_keep_no_place_from_another(
    films: str,
    services: Services,
    servers: tuple[FaultServer, FaultServer],
    register: Callable[..., str],
    keyed: Callable[..., Any],
) -> None:
    dead, well = servers
    dead.play(*["hang"] * 1000)
    one, other = register(dead), register(well)
    staller, innocent = (
        await keyed("staller", models=(one,)),
        await keyed("innocent", models=(other,)),
    )

    hanging = [asyncio.create_task(ask(films, staller, one, at)) for at in range(100)]
    try:
        waiting = services.models.limits._waiting
        while len(waiting.get("staller", ())) < 96 or len(dead.asked) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert len(dead.asked) == 4  # half of the places
        for at in range(40, 50):
            assert (await ask(films, innocent, other, at))["flags"] == []
        answered = len(well.asked)
        well.play(*["hang"] * 4)
        hanging += [asyncio.create_task(ask(films, innocent, other, at)) for at in range(50, 54)]
        while len(well.asked) < answered + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # half of the places that are left, at the same time
        assert len(dead.asked) == 4
    finally:
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_what_one_owner_meets_opens_no_circuit_for_another(
    films: str,
    adjust: Callable[..., None],
    servers: tuple[FaultServer, FaultServer],
    register: Callable[..., str],
    keyed: Callable[..., Any],
) -> None:
    adjust(breaker_failures=2, breaker_pause=60.0, model_retries=0)
    server, _ = servers
    model = register(server)
    one, other = await keyed("unlucky"), await keyed("innocent")
    server.play("500", "401", "500", "500")
    answers = [await ask(films, one, model, at) for at in range(5)]
    assert answers[-1]["flags"][:2] == ["model_failed", "circuit_open"]
    server.clear()
    assert (await ask(films, other, model, 10))["flags"] == []


async def test_the_same_prompt_of_one_that_waits_does_not_hold_another_up(
    films: str,
    adjust: Callable[..., None],
    servers: tuple[FaultServer, FaultServer],
    register: Callable[..., str],
    keyed: Callable[..., Any],
) -> None:
    server, _ = servers
    model = register(server)
    one, other = await keyed("first"), await keyed("second")
    server.play("hang")
    hanging = asyncio.create_task(ask(films, one, model, 5))
    while not server.asked:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert (await asyncio.wait_for(ask(films, other, model, 5), 10))["flags"] == []
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
