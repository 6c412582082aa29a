"""Every route of the server, and every way to come in without a key."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from console import Browser, form_to
from re2llm.interfaces.key_rules import asks_for_key
from re2llm.knowledge.access.keys import create_key
from re2llm.runtime.services import Services

pytest.importorskip("langgraph_api", reason="needs the extra `studio`")
pytest.importorskip("mcp")
pytestmark = pytest.mark.timeout(300)

HERE: dict[str, Any] = {"headers": [], "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2)}
SCRIPT = Path(__file__).parents[1] / "support" / "served_routes.py"
ID = str(uuid.uuid4())
OPEN = {"/", "/ok", "/healthz", "/readyz"}
PAGES = "/console"
HIDDEN = ("/internal", "/deploy", "/profile")
SPELLINGS = (
    "/internal/truncate",
    "//internal/truncate",
    "/internal//truncate",
    "/./internal/truncate",
    "/%69nternal/truncate",
    "/%2569nternal/truncate",
    "/internal%2Ftruncate",
    "/INTERNAL/truncate",
    "/threads/../internal/truncate",
    "/threads/%2e%2e/internal/truncate",
    "/internal;x/truncate",
    "/\\internal/truncate",
)


@pytest.fixture(scope="module")
def keyed(
    films: str,
    serve: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # only for the server that starts in it
            patch.setenv("RE2LLM_REQUIRE_KEYS", "true")
            log = tmp_path_factory.mktemp("keyed") / "server.log"
            address = stack.enter_context(serve(log))
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def key(services: Services, films: str) -> str:
    async with services.engine.begin() as connection:
        return await create_key(connection, "walker", [films])


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    """Every path and method of the router itself, with ids filled in."""
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return [
        (method, re.sub(r"\{[^}]*\}", ID, path))
        for path, methods in found
        for method in methods
        if method != "HEAD"
    ]


@pytest_asyncio.fixture
async def http(keyed: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=keyed, timeout=60, follow_redirects=True) as client:
        yield client


@pytest.mark.long
async def test_no_route_answers_without_a_key(
    http: httpx.AsyncClient, routes: list[tuple[str, str]], key: str
) -> None:
    bearer = {"authorization": f"Bearer {key}"}
    document = (await http.get("/openapi.json", headers=bearer)).raise_for_status().json()
    listed = {
        (method.upper(), re.sub(r"\{[^}]*\}", ID, path))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert len(routes) > 50
    assert any(path.startswith("/internal") for _, path in routes)
    assert any(path.startswith(PAGES) for _, path in routes)
    for method, path in {*routes, *listed}:
        if path in OPEN:
            continue
        for headers in ({}, {"authorization": "Bearer re2llm_0000_wrong"}):
            if path.startswith(PAGES):
                await sent_to_sign_in(http, method, path, headers)
                continue
            answer = await http.request(method, path, headers=headers, json={})
            assert answer.status_code in {401, 404}, (method, path, answer.status_code)
            if not path.startswith(HIDDEN):
                assert answer.status_code == 401, (method, path)


async def sent_to_sign_in(
    http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> None:
    """Check that a page shows nothing but the way to the sign-in, which is open."""
    answer = await http.request(method, path, headers=headers, follow_redirects=False)
    if path.startswith((f"{PAGES}/sign-in", f"{PAGES}/static/")):
        assert answer.status_code in {200, 404, 415}, (method, path)
        return
    assert answer.status_code == 303, (method, path)
    assert answer.headers["location"].startswith(f"{PAGES}/sign-in")
    assert not answer.content


async def test_the_pages_of_the_server_open_with_a_key(keyed: str, key: str) -> None:
    async with Browser(keyed) as browser:
        assert (await browser.http.get(f"{PAGES}/hints")).status_code == 303
        assert (await browser.sign_in(key)).status_code == 303
        page = await browser.get(f"{PAGES}/hints")
        assert "walker" in page.text
        answer = await browser.send(form_to(page, f"{PAGES}/sign-out"))
        assert answer.status_code == 303
        assert (await browser.http.get(f"{PAGES}/hints")).status_code == 303


async def test_no_key_opens_what_the_development_server_keeps_for_itself(
    http: httpx.AsyncClient, routes: list[tuple[str, str]], key: str
) -> None:
    hidden = [(method, path) for method, path in routes if path.startswith(HIDDEN)]
    assert len(hidden) >= 5
    for method, path in hidden:
        answer = await http.request(method, path, headers={"x-api-key": key}, json={})
        assert answer.status_code == 404, (method, path)


@pytest.mark.long
async def test_the_api_is_served_there_too(http: httpx.AsyncClient, key: str) -> None:
    headers = {"x-api-key": key, "x-request-id": "order-7"}
    body = {"history": ["alien-1979"], "k": 2}
    made = await http.post("/v1/recommend", headers=headers, json=body)
    assert made.status_code == 200, made.text
    assert len(made.json()["items"]) == 2
    stream = {**headers, "accept": "text/event-stream"}
    events = (await http.post("/v1/recommend", headers=stream, json=body)).text
    assert "event: result" in events
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/recommend", 404),  # as any route that the LangGraph server lacks
        ("POST", "/v1/rate", 422),
    ):
        found = await http.request(method, path, headers=headers, json={})
        assert found.status_code == status
        assert found.headers["content-type"] == "application/problem+json"
        assert found.json()["request_id"] == found.headers["x-request-id"] == "order-7"
    assert (await http.get("/readyz")).json() == {"status": "ready"}
    assert (await http.get("/healthz")).json() == {"status": "ok"}


@pytest.mark.parametrize("path", SPELLINGS)
async def test_no_spelling_reaches_a_hidden_route(keyed: str, key: str, path: str) -> None:
    host, port = keyed.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    # By hand, since HTTP clients tidy paths up.
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\nx-api-key: {key}\r\n"
        "content-length: 2\r\nconnection: close\r\n\r\n{}".encode("latin-1")
    )
    await writer.drain()
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert status in {400, 404}


async def test_threads_outlive_the_attempts(http: httpx.AsyncClient, key: str) -> None:
    headers = {"x-api-key": key}
    thread = (await http.post("/threads", headers=headers, json={})).raise_for_status().json()
    for method in ("POST", "GET", "DELETE"):
        await http.request(method, "/internal/truncate", headers=headers)
    found = await http.get(f"/threads/{thread['thread_id']}", headers=headers)
    assert found.status_code == 200


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost.evil.example"},
    {"origin": "http://127.0.0.1.evil.example"},
    {"origin": "https://smith.langchain.com.evil.example"},
    {"origin": "file://"},
    {"sec-fetch-site": "cross-site"},
    {"host": "rebound.example"},
    {"host": "rebound.example:2024"},
    {"host": "127.0.0.1.evil.example"},
    {"via": "1.1 proxy"},
    {"forwarded": "for=192.0.2.1"},
    {"x-forwarded-host": "shop.example"},
    {"x-forwarded-proto": "https"},
    {"x-forwarded-server": "proxy"},
    {"x-real-ip": "127.0.0.1"},
    {"true-client-ip": "127.0.0.1"},
    {"cf-ray": "1"},
    {"cdn-loop": "cloudflare"},
    {"x-client-ip": "127.0.0.1"},
    {"ngrok-skip-browser-warning": "1"},
]
NEAR: list[dict[str, str]] = [
    {},
    {"origin": "http://localhost:5173"},
    {"origin": "http://127.0.0.1:2024"},
    {"origin": "http://[::1]:8080"},
    {"origin": "https://smith.langchain.com"},
    {"host": "localhost:2024"},
    {"host": "[::1]:2024"},
    {"host": "127.0.0.1"},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "https://smith.langchain.com", "sec-fetch-site": "cross-site"},
]


def scope(headers: dict[str, str]) -> dict[str, Any]:
    return {**HERE, "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]}


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_what_comes_from_elsewhere_needs_a_key(headers: dict[str, str]) -> None:
    assert asks_for_key(scope(headers))


@pytest.mark.parametrize("headers", NEAR, ids=str)
def test_what_comes_from_this_machine_needs_none(headers: dict[str, str]) -> None:
    assert not asks_for_key(scope(headers))


def test_the_pages_that_need_no_key_are_a_setting(adjust: Any) -> None:
    adjust(allowed_origins="https://studio.example")
    assert not asks_for_key(scope({"origin": "https://studio.example"}))
    assert asks_for_key(scope({"origin": "https://smith.langchain.com"}))


async def test_a_website_can_do_nothing_with_a_server_that_needs_no_key(server: str) -> None:
    async with httpx.AsyncClient(base_url=server, timeout=60) as http:
        body = json.dumps({"assistant_id": "recommend", "input": {"history": ["alien-1979"]}})
        for headers in FOREIGN:
            sent = await http.post(
                "/runs/wait", content=body, headers={"content-type": "text/plain", **headers}
            )
            assert sent.status_code == 401, headers
            for path in ("/info", "/metrics", "/docs", "/openapi.json"):
                assert (await http.get(path, headers=headers)).status_code == 401
            wiped = await http.post("/internal/truncate", headers=headers)
            assert wiped.status_code == 404
            allowed = sent.headers.get("access-control-allow-origin")
            assert allowed is None
        # A program of this machine and Studio still may.
        for origin in ({}, {"origin": "https://smith.langchain.com"}):
            assert (await http.get("/info", headers=origin)).status_code == 200
        studio = await http.options(
            "/runs/wait",
            headers={
                "origin": "https://smith.langchain.com",
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type,x-api-key",
                "access-control-request-private-network": "true",
            },
        )
        assert studio.status_code == 200
        assert studio.headers["access-control-allow-origin"] == "https://smith.langchain.com"
        assert studio.headers["access-control-allow-private-network"] == "true"
        evil = await http.options(
            "/runs/wait",
            headers={
                "origin": "https://evil.example",
                "access-control-request-method": "POST",
            },
        )
        assert "access-control-allow-origin" not in evil.headers
