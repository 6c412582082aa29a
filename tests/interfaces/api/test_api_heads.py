"""Headers without end, and connections that stand still, before any key is checked."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from re2llm.interfaces.api.heads import LimitedProtocol
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from uvicorn import Config, Server

START = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
CHUNKED = b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
PIECE = b"a" * 2**16


@pytest.mark.parametrize(
    "start",
    [START + b"x-long: ", b"GET /", CHUNKED + b"x-long: ", CHUNKED[:-3] + b"1;"],
    ids=["header", "path", "trailer", "extension"],
)
def test_headers_without_end_end_the_connection(address: str, start: bytes) -> None:
    place = urlsplit(address)
    sent = 0
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(start)
        with suppress(ConnectionError):
            while sent < 2**26:
                connection.sendall(PIECE)
                sent += len(PIECE)
    assert sent < 2**24


def test_large_headers_that_end_and_large_bodies_are_read(address: str) -> None:
    with httpx.Client(base_url=address, timeout=60) as http:
        for _ in range(2):
            assert http.get("/healthz", headers={"x-long": "a" * 2**15}).status_code == 200
            assert http.post("/v1/recommend", content=b" " * 2**20).status_code in {415, 422}
            assert http.get("/healthz").status_code == 200


IDLE = 0.5
BEGUN = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def slow(scope: Any, receive: Any, send: Any) -> None:
    """Answer what was sent, but for a GET of `/long` or `/stream` only after twice the limit."""
    request = Request(scope, receive)
    if scope["path"] == "/unread":
        await asyncio.sleep(2 * IDLE)  # more waits than fits into the buffer
    content = str(len(await request.body()))
    if scope["path"] == "/long":
        await asyncio.sleep(2 * IDLE)

    async def pieces() -> Any:
        for _ in range(2):
            yield "piece"
            await asyncio.sleep(IDLE)
        yield "end"

    streamed = scope["path"] == "/stream"
    answer = StreamingResponse(pieces()) if streamed else Response(content)
    await answer(scope, receive, send)


@pytest.fixture(scope="module")
def quick() -> Iterator[tuple[str, int]]:
    """A server whose connections may be idle for a moment only."""
    config = Config(
        slow,
        port=0,
        http=LimitedProtocol,
        timeout_keep_alive=IDLE,
        log_config=None,
        lifespan="off",  # type: ignore[arg-type]
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()[:2]
    server.should_exit = True
    thread.join(30)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /", BEGUN[:-2], BEGUN, BEGUN + b"half", ASKED, ASKED + b"GET /"],
    ids=["nothing", "path", "header", "no body", "half a body", "answered", "answered, and more"],
)
def test_a_connection_that_stands_still_is_closed(quick: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(quick, timeout=5) as connection:
        connection.sendall(sent)
        begun = time.monotonic()
        while connection.recv(2**16):
            pass
        assert time.monotonic() - begun > IDLE / 2


@pytest.mark.parametrize("before", [b"", ASKED], ids=["first", "second"])
@pytest.mark.parametrize("bytes_", [b"a", b"\r\n"], ids=["head", "blank lines"])
def test_bytes_that_bring_a_request_no_further_keep_no_connection(
    quick: tuple[str, int], before: bytes, bytes_: bytes
) -> None:
    with socket.create_connection(quick, timeout=5) as connection:
        connection.sendall(before)
        end = time.monotonic() + 8 * IDLE
        with suppress(ConnectionError):
            if bytes_ == b"a":
                connection.sendall(b"GET /")
            while time.monotonic() < end:
                connection.sendall(bytes_)
                time.sleep(IDLE / 8)
        assert time.monotonic() < end


@pytest.mark.parametrize("path", ["/long", "/stream", "/unread"])
def test_long_answers_and_slow_applications_are_waited_for(
    quick: tuple[str, int], path: str
) -> None:
    content = b"a" * 2**21 if path == "/unread" else b""
    with httpx.Client(base_url=f"http://{quick[0]}:{quick[1]}") as http:
        for _ in range(2):
            answer = http.request("POST" if content else "GET", path, content=content)
            assert answer.text == ("piecepieceend" if path == "/stream" else str(len(content)))


def test_a_body_that_comes_slowly_is_read(quick: tuple[str, int]) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(12):
            yield b"piece"
            time.sleep(IDLE / 5)

    with httpx.Client(base_url=f"http://{quick[0]}:{quick[1]}") as http:
        assert http.post("/", content=body()).text == "60"
