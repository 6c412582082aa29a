"""What a key may spend, counted before each paid call and over all processes."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest
from fault_server import FaultServer, completion
from keyed_runs import asking, own_model, run, sums
from langchain_core.messages import AIMessage
from re2llm.graph.recommend import graph
from re2llm.interfaces.chat import graph as chat
from re2llm.knowledge.access.allowances import KeyClaim, claim_call, settle_call
from re2llm.knowledge.access.keys import revoke_key
from re2llm.knowledge.texts import made_storable
from re2llm.runtime import ledger
from re2llm.runtime.caller import Caller
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services, open_services
from re2llm.runtime.sharing import ServiceSet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

UNUSABLE: dict[str, Any] = {
    "cut off in its thoughts": completion({"role": "assistant", "content": ""}, "length"),
    "cut off, null": completion({"role": "assistant", "content": None}, "length"),
    "cut off": completion({"role": "assistant", "content": '{"ranking": [2'}, "length"),
    "filtered": completion({"role": "assistant", "content": ""}, "content_filter"),
    "empty": completion({"role": "assistant", "content": ""}),
    "no choices": {**completion({}), "choices": []},
    "null choices": {**completion({}), "choices": None},
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def model(server: FaultServer, adjust: Callable[..., None]) -> str:
    return own_model(server, adjust)


# What a key may spend


@pytest.fixture
def spend(services: Services, films: str, model: str) -> Callable[..., Any]:
    """Recommend for a key on several sets of services, as several processes would."""

    async def recommend(caller: Caller, count: int, sets: int = 2) -> list[dict[str, Any]]:
        own = [await open_services(services.settings) for _ in range(sets)]
        try:
            return await asyncio.gather(
                *(
                    graph.ainvoke(
                        {"domain": films, **asking(20 + at)},
                        context=Context(services=ServiceSet.of(own[at % sets]), caller=caller),
                    )
                    for at in range(count)
                )
            )
        finally:
            for some in own:
                await some.close()

    return recommend


async def used_today(services: Services, caller: Caller) -> tuple[float, float]:
    """Return what a key has spent today, and what is reserved for calls in flight."""
    async with services.engine.connect() as connection:
        query = text("SELECT spent, reserved FROM re2llm.api_key_day WHERE key_id = :id")
        spent, reserved = (await connection.execute(query, {"id": caller.key_id})).one()
    return spent, reserved


async def leave_each(server: FaultServer, calls: Sequence[Coroutine[Any, Any, Any]]) -> None:
    """Begin one call after the other, and leave each as soon as the model is asked."""
    for at, call in enumerate(calls):
        running = asyncio.create_task(call)
        while len(server.asked) <= at and not running.done():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.long
async def test_calls_a_day_are_counted_over_all_processes(
    server: FaultServer, spend: Callable[..., Any], keyed: Callable[..., Any]
) -> None:
    server.delay = 0.1
    caller = await keyed(calls_per_day=5)
    answers = await spend(caller, 24)
    refused = [answer["error"] for answer in answers if answer.get("error")]
    assert (len(server.asked), len(refused)) == (5, 19)
    assert {(error["kind"], error["field"]) for error in refused} == {("limit", "calls_per_day")}
    assert "00:00 UTC" in refused[0]["remedy"]


async def test_retries_count_too_and_what_was_sent_is_booked(
    server: FaultServer, services: Services, spend: Callable[..., Any], keyed: Callable[..., Any]
) -> None:
    server.play(*["500"] * 4)
    caller = await keyed(calls_per_day=2)
    (answer,) = await spend(caller, 1, 1)
    assert answer["error"]["kind"] == "limit"
    assert (await sums(services, caller))[0] == len(server.asked) == 2


@pytest.mark.long
async def test_the_cost_of_a_day_is_never_exceeded(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    spend: Callable[..., Any],
    keyed: Callable[..., Any],
) -> None:
    server.delay = 0.05
    adjust(prices={model: (1000.0, 1000.0)})  # 0.12 a call
    caller = await keyed(usd_per_day=0.5)
    for _ in range(3):
        answers = await spend(caller, 6)
    kinds = {(a["error"]["kind"], a["error"]["field"]) for a in answers if a.get("error")}
    assert kinds == {("limit", "usd_per_day")}
    assert 0.12 <= len(server.asked) * 0.12 <= 0.5
    spent, reserved = await used_today(services, caller)
    assert spent == pytest.approx(len(server.asked) * 0.12)
    assert reserved == pytest.approx(0)


async def test_a_call_that_cannot_be_booked_is_settled_all_the_same(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    keyed: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(connection: AsyncConnection, made: object) -> None:
        del made
        await connection.execute(text("SELECT 'NaN'::float8::int"))

    monkeypatch.setattr(ledger, "book_call", refuse)
    adjust(prices={model: (1000.0, 1000.0)})
    caller = await keyed(usd_per_day=5)
    assert not (await run(graph, caller, asking(7))).get("error")
    spent, reserved = await used_today(services, caller)
    assert (spent, reserved) == (pytest.approx(0.12 * len(server.asked)), pytest.approx(0))


async def test_a_limit_of_cost_needs_a_price(
    server: FaultServer, model: str, keyed: Callable[..., Any]
) -> None:
    answer = await run(graph, await keyed(usd_per_day=1.0), asking())
    assert (answer["error"]["kind"], answer["error"]["field"]) == ("input", "usd_per_day")
    assert not server.asked


async def test_what_was_sent_is_booked_though_the_caller_left(
    server: FaultServer, services: Services, model: str, keyed: Callable[..., Any]
) -> None:
    server.delay = 5.0
    caller = await keyed()
    running = asyncio.create_task(run(graph, caller, asking()))
    while not server.asked:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await sums(services, caller))[0] == 1


async def test_leaving_early_does_not_make_a_call_free(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    keyed: Callable[..., Any],
) -> None:
    server.delay = 30.0
    adjust(prices={model: (1000.0, 1000.0)})  # 0.5 and more a call that is not waited for
    caller = await keyed(usd_per_day=0.8)
    await leave_each(server, [run(graph, caller, asking(20 + at)) for at in range(4)])
    assert len(server.asked) == 1
    spent, reserved = await used_today(services, caller)
    assert spent > 0.5
    assert reserved == pytest.approx(0)


LONG = "x" * 400_000
CALL = {"name": "recommend", "args": {"history": [LONG]}, "id": "1", "type": "tool_call"}


@pytest.mark.parametrize(
    "said",
    [
        [("user", LONG)],
        [("user", "A film?"), ("ai", LONG), ("user", "Hi")],
        [("user", "A film?"), AIMessage("", tool_calls=[CALL]), ("user", "Hi")],
    ],
    ids=["words", "answer", "tool call"],
)
async def test_all_of_a_chat_counts_before_it_is_sent(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    keyed: Callable[..., Any],
    said: list[Any],
) -> None:
    server.delay = 30.0
    adjust(prices={model: (10.0, 10.0)})  # 1 and more a chat
    caller = await keyed(usd_per_day=1.5)
    await leave_each(server, [run(chat, caller, {"messages": said}) for _ in range(3)])
    assert len(server.asked) == 1
    spent, reserved = await used_today(services, caller)
    assert spent > 1.0
    assert reserved == pytest.approx(0)


@pytest.mark.parametrize(
    "patience", [{"request_timeout": 0.5, "deadline": 20.0}, {"deadline": 0.5}], ids=["call", "run"]
)
async def test_an_answer_that_comes_too_late_is_not_free(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    keyed: Callable[..., Any],
    patience: dict[str, Any],
) -> None:
    server.play(*["hang"] * 20)
    adjust(
        prices={model: (1000.0, 1000.0)}, model_retries=2, retry_pause=0.0, fuse="llm", **patience
    )
    caller = await keyed(usd_per_day=0.8)  # 0.5 and more a call that is not waited for
    for at in range(3):
        await run(graph, caller, asking(20 + at))
    assert len(server.asked) == 1
    spent, reserved = await used_today(services, caller)
    assert spent > 0.5
    assert reserved == pytest.approx(0)


@pytest.mark.parametrize("structured", ["json_schema", "function_calling", "json_mode", "plain"])
@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_an_answer_without_an_answer_is_charged_by_its_tokens(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    keyed: Callable[..., Any],
    body: Any,
    structured: str,
) -> None:
    server.refuse = lambda _: (200, body)
    adjust(prices={model: (1000.0, 1000.0)}, structured=structured, retry_pause=0.0)
    caller = await keyed(usd_per_day=50)
    await run(graph, caller, asking(20))
    spent, reserved = await used_today(services, caller)
    assert (spent, reserved) == (pytest.approx(0.12 * len(server.asked)), pytest.approx(0))


async def test_a_retry_after_a_late_answer_costs_twice(
    server: FaultServer,
    services: Services,
    model: str,
    adjust: Callable[..., None],
    keyed: Callable[..., Any],
) -> None:
    server.play("hang")
    adjust(prices={model: (1000.0, 1000.0)}, request_timeout=0.8, retry_pause=0.0)
    caller = await keyed(usd_per_day=50)
    answer = await run(graph, caller, asking(20))
    assert not answer["flags"]
    assert len(server.asked) == 2
    async with services.engine.connect() as connection:
        query = text("SELECT cost, estimated FROM re2llm.llm_call WHERE api_key_id = :id")
        cost, estimated = (await connection.execute(query, {"id": caller.key_id})).one()
    assert cost > 0.5 + 0.12
    assert estimated


async def test_many_small_calls_make_no_large_one_look_cheap(
    services: Services, keyed: Callable[..., Any]
) -> None:
    caller = await keyed(usd_per_day=1.0)

    async def claim(cost: float) -> KeyClaim | str:
        async with services.engine.begin() as connection:
            return await claim_call(connection, caller.key_id, caller.grants, cost, cost)

    for _ in range(20):
        small = await claim(0.001)
        assert isinstance(small, KeyClaim)
        async with services.engine.begin() as connection:
            await settle_call(
                connection,
                caller.key_id,
                reserved={small.day: small.reserved},
                cost=0.001,
                answered=True,
            )
    large = [await claim(0.3) for _ in range(5)]
    assert [one if isinstance(one, str) else one.reserved for one in large] == [
        *[pytest.approx(0.3)] * 3,
        *["usd_per_day"] * 2,
    ]


async def test_a_call_over_midnight_is_settled_on_its_own_day(
    services: Services, keyed: Callable[..., Any]
) -> None:
    caller = await keyed(usd_per_day=1.0)

    async def claim() -> KeyClaim:
        async with services.engine.begin() as connection:
            claimed = await claim_call(connection, caller.key_id, caller.grants, 0.4, 0.4)
        assert isinstance(claimed, KeyClaim)
        return claimed

    today = (await claim()).day  # is in flight
    yesterday = today - dt.timedelta(days=1)
    async with services.engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO re2llm.api_key_day VALUES (:key, :day, 1, 0, 0, 0.4)"),
            {"key": caller.key_id, "day": yesterday},
        )
        await settle_call(
            connection, caller.key_id, reserved={yesterday: 0.4}, cost=0.3, answered=True
        )
        query = "SELECT day, spent, reserved FROM re2llm.api_key_day WHERE key_id = :key"
        found = (await connection.execute(text(query), {"key": caller.key_id})).all()
    assert sorted(map(tuple, found)) == [
        (yesterday, pytest.approx(0.3), pytest.approx(0.0)),
        (today, pytest.approx(0.0), pytest.approx(0.4)),
    ]


async def test_a_run_that_outlives_its_key_makes_no_further_call(
    server: FaultServer, services: Services, model: str, keyed: Callable[..., Any]
) -> None:
    caller = await keyed()
    assert not (await run(graph, caller, asking(20))).get("error")
    async with services.engine.begin() as connection:
        await revoke_key(connection, caller.key_id)
    answer = await run(graph, caller, asking(22))
    assert (answer["error"]["kind"], answer["error"]["field"]) == ("limit", "key")
    assert len(server.asked) == 1


async def test_no_text_keeps_a_call_from_being_booked(
    server: FaultServer, services: Services, model: str, films: str
) -> None:
    context = Context(command="a\0b", policy="none")
    request: Any = {"domain": films, **asking(3)}
    await graph.ainvoke(request, context=context)
    async with services.engine.connect() as connection:
        query = text("SELECT command FROM re2llm.llm_call WHERE model = :model")
        found = await connection.scalar(query, {"model": model})
    assert found == "a\ufffdb"
    assert made_storable("a\0b\ud800c\U0001f600") == "a\ufffdb\ufffdc\U0001f600"
