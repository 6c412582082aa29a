"""Answers as server-sent events: the states, the first item, the result; and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from api_server import problem, serving_api
from fault_server import FaultServer, backwards
from keyed_runs import own_model
from re2llm.data.sample import load_films

HISTORY = [load_films()[0].id]
EVENTS = {"accept": "text/event-stream"}


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def test_states_then_the_first_item_then_the_result(http: httpx.AsyncClient) -> None:
    body = {"history": HISTORY, "k": 2}
    async with http.stream("POST", "/v1/recommend", json=body, headers=EVENTS) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = [event async for event in events(answer)]
    states = [data["state"] for name, data in found if name == "state"]
    assert states == ["prepare", "select_hint", "recommend", "check"]
    assert [name for name, _ in found][-2:] == ["item", "result"]
    result = found[-1][1]
    assert found[-2][1]["id"] == result["items"][0]["id"]
    plain = (await http.post("/v1/recommend", json=body)).json()
    assert set(result) == set(plain)
    assert result["ranking"] == plain["ranking"]


async def test_what_cannot_be_answered_is_a_plain_problem(http: httpx.AsyncClient) -> None:
    for body, field in (
        ({"history": HISTORY, "domain": "nowhere"}, "domain"),
        ({"history": ["no such film at all"]}, "history"),
        ({"history": HISTORY, "candidates": HISTORY}, None),
    ):
        answer = await http.post("/v1/recommend", json=body, headers=EVENTS)
        found = problem(answer, 422)
        assert field is None or found["field"] == field


async def test_other_media_types_get_json(http: httpx.AsyncClient) -> None:
    for accept in ("*/*", "application/json", "text/html, application/json;q=0.9"):
        answer = await http.post(
            "/v1/recommend", json={"history": HISTORY}, headers={"accept": accept}
        )
        assert answer.headers["content-type"] == "application/json"


@pytest.fixture
def slow() -> Iterator[FaultServer]:
    """A model that takes longer than any test."""
    with FaultServer(backwards, delay=300.0).running() as model:
        yield model


async def test_a_client_that_leaves_cancels_the_work(
    slow: FaultServer, adjust: Callable[..., None], films: str
) -> None:
    own_model(slow, adjust)
    with serving_api() as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            body = {"history": HISTORY, "candidates": [film.id for film in load_films()[3:9]]}
            async with http.stream("POST", "/v1/recommend", json=body, headers=EVENTS) as answer:
                coming = events(answer)  # which leaves when nothing refers to it any more
                async for name, data in coming:
                    if (name, data) == ("state", {"state": "select_hint"}):
                        break
                await until(lambda: asked(slow))
                assert await in_flight(http, 2)  # it, and the question itself
            await until(lambda: in_flight(http, 1))
    assert len(slow.asked) == 1


async def asked(model: FaultServer) -> bool:
    return len(model.asked) == 1


async def in_flight(http: httpx.AsyncClient, wanted: int) -> bool:
    text = (await http.get("/metrics")).text
    (line,) = [x for x in text.splitlines() if x.startswith("re2llm_http_requests_in_flight ")]
    return int(float(line.split()[1])) == wanted


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await done():  # noqa: ASYNC110  # over HTTP there is no event to wait for
            await asyncio.sleep(0.02)
