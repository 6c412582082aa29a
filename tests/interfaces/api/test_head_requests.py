"""HEAD on every route that a browser, a proxy or a load balancer asks for with GET."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from re2llm.interfaces.api.application import create_app

READ = {
    str(getattr(route, "path", ""))
    for route in create_app().routes
    if "GET" in (getattr(route, "methods", None) or ())
}
FILLED = {
    "{name}": "console.css",
    "{item:path}": "alien-1979",
    "{hint}": "1",
    "{release}": "1",
    "{job}": "none",
    "{path:path}": "jobs",
}
CHANGING = {"date", "x-request-id", "content-length", "set-cookie"}


def filled(path: str) -> str:
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize("path", sorted(READ))
async def test_a_head_has_the_headers_of_a_get_and_no_body(
    http: httpx.AsyncClient, path: str
) -> None:
    where = filled(path)
    assert "{" not in where
    got, asked = await http.get(where), await http.head(where)
    assert asked.status_code == got.status_code
    assert asked.content == b""

    def kept(answer: httpx.Response) -> dict[str, Any]:
        return {name: value for name, value in answer.headers.items() if name not in CHANGING}

    assert kept(asked) == kept(got)
    # The text of a page may hold a token, and of metrics what was counted since.
    assert ("content-length" in asked.headers) == ("content-length" in got.headers)
    if path in {"/", "/healthz", "/readyz", "/openapi.json", "/console/static/{name}"}:
        assert asked.headers["content-length"] == str(len(got.content))


def test_a_connection_goes_on_after_a_head(address: str) -> None:
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        for path in ("/console/static/console.css", "/v1/domains", "/healthz"):
            connection.sendall(f"HEAD {path} HTTP/1.1\r\nhost: {place.netloc}\r\n\r\n".encode())
            head = connection.recv(2**16)
            assert head.startswith(b"HTTP/1.1 200")
            assert head.endswith(b"\r\n\r\n")  # no byte of a body


async def test_what_only_changes_something_takes_no_head(http: httpx.AsyncClient) -> None:
    for path in ("/v1/recommend", "/v1/feedback", "/v1/jobs:pause", "/console/hints:add"):
        assert (await http.head(path)).status_code == 405


async def test_the_openapi_document_lists_no_head(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert not any("head" in methods for methods in document["paths"].values())
