"""The database goes away under a server with keys: it says when to ask again, and recovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from database_proxy import DatabaseProxy, proxied
from re2llm.data.sample import load_films
from re2llm.knowledge.access.keys import create_key
from re2llm.runtime.services import Services
from server_logs import troubles

pytest.importorskip("langgraph_api", reason="needs the extra `studio`")
pytest.importorskip("mcp")
pytestmark = pytest.mark.timeout(300)

REQUEST = {"history": [load_films()[0].id], "k": 3}
RUN = {"assistant_id": "recommend", "input": REQUEST}
TOOL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "recommend", "arguments": REQUEST},
}
DOORS = (("/runs/wait", RUN), ("/re2llm/mcp", TOOL), ("/threads/search", {}))


@dataclass
class Behind:
    """A server behind a proxy of its database."""

    address: str
    log: Path
    proxy: DatabaseProxy


@pytest.fixture(scope="module")
def behind(
    films: str,
    url: str,
    serve: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Behind]:
    log = tmp_path_factory.mktemp("behind") / "server.log"
    with proxied(url, tmp_path_factory.mktemp("p")) as proxy, pytest.MonkeyPatch.context() as patch:
        address = proxy.url.set(drivername="postgresql").render_as_string(hide_password=False)
        patch.setenv("RE2LLM_DATABASE_URL", address)
        patch.setenv("RE2LLM_REQUIRE_KEYS", "true")
        patch.setenv("RE2LLM_DATABASE_TIMEOUT", "3")
        patch.setenv("RE2LLM_POOL_SIZE", "2")
        patch.setenv("RE2LLM_POLICY", "none")
        with serve(log) as server:
            patch.undo()
            yield Behind(server, log, proxy)


@pytest_asyncio.fixture
async def http(behind: Behind, services: Services, films: str) -> AsyncIterator[httpx.AsyncClient]:
    async with services.engine.begin() as connection:
        key = await create_key(connection, "shop", [films])
    headers = {
        "authorization": f"Bearer {key}",
        "accept": "application/json, text/event-stream",
    }
    async with httpx.AsyncClient(base_url=behind.address, headers=headers, timeout=60) as client:
        yield client


@pytest.mark.long
async def test_without_a_database_a_request_is_refused_for_now(
    behind: Behind, http: httpx.AsyncClient
) -> None:
    for path, body in DOORS:
        assert (await http.post(path, json=body)).status_code == 200
    behind.proxy.cut()
    try:
        for path, body in DOORS:
            refused = await http.post(path, json=body)
            assert refused.status_code == 503, refused.text
            assert int(refused.headers["retry-after"]) > 0
            assert "psycopg" not in refused.text
        assert (await http.get("/ok")).status_code == 200
    finally:
        behind.proxy.open()
    for path, body in DOORS:
        assert (await http.post(path, json=body)).status_code == 200


@pytest.mark.long
async def test_requests_in_the_middle_of_which_it_goes_away_end_in_an_answer(
    behind: Behind, http: httpx.AsyncClient
) -> None:
    async def ask() -> httpx.Response:
        return await http.post("/runs/wait", json=RUN)

    asked = [asyncio.create_task(ask()) for _ in range(20)]
    await asyncio.sleep(0.3)
    behind.proxy.cut()
    try:
        answers = await asyncio.gather(*asked)
    finally:
        behind.proxy.open()
    for answer in answers:
        if answer.status_code == 200:
            error = answer.json()["error"]
            assert error is None or error["kind"] == "database", error
        else:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
    assert (await ask()).json()["error"] is None
    assert troubles(behind.log, "a node failed", "BlockingError") == ""


@pytest.mark.long
async def test_a_pool_of_two_serves_a_burst(http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(http.post("/runs/wait", json=RUN) for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["error"] for answer in answers] == [None] * 40


@pytest.mark.long
async def test_a_database_with_no_connection_left_is_no_fault_of_the_request(
    behind: Behind, http: httpx.AsyncClient
) -> None:
    behind.proxy.cut()
    behind.proxy.full = True
    behind.proxy.open()
    try:
        refused = await http.post("/runs/wait", json=RUN)
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["retry-after"]) > 0
    finally:
        behind.proxy.full = False
    assert (await http.post("/runs/wait", json=RUN)).json()["error"] is None
