"""Headers without end, which come before any key is checked."""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

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
