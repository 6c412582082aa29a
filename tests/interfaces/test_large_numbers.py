"""Numbers that no answer can hold: named by their place, wherever they are sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from re2llm.interfaces.large_numbers import place_of_large_number
from re2llm.interfaces.named_ids import NotesNamedIds

NINES = b"9" * 5_000


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"history": ["a", 1e5000]}', "history.1"),
        (b'{"a": [{"b": -' + NINES + b"}], " + b'"c": 1e999}', "a.0.b"),
        (NINES, "body"),
        (b'{"' + b"x" * 500 + b'": 1e999}', "x" * 40),
        (b'{"a": 1e999', "body"),
        (b"[" * 50_000 + b"1e999", "body"),
        (b'{"a": [' + b"0," * 2**16 + b"1e999]}", "body"),
        (b'{"a": 1e300, "b": ' + b"9" * 30 + b"}", "body"),
    ],
)
def test_a_number_too_large_is_named_by_its_place(body: bytes, place: str) -> None:
    assert place_of_large_number(body) == place


def test_whole_numbers_of_more_than_64_bits_can_count_too() -> None:
    body = b'{"a": [18446744073709551615, 18446744073709551616]}'
    assert place_of_large_number(body, whole=True) == "a.1"
    assert place_of_large_number(b'{"a": ' + NINES + b"}", whole=True) == "a"


async def answered(path: str, body: bytes) -> tuple[int, str]:
    """Send a request without a key; what gets through is answered with 200."""
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == body
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b'{"detail": ""}'})

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": []}
    await asyncio.create_task(NotesNamedIds(inner)(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])["detail"]


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        (b'{"arguments": {"history": [' + b"9" * 30 + b"]}}", "params.arguments.history.0: The"),
        (b'{"arguments": {"history": [' + NINES + b"]}}", "params.arguments.history.0: The"),
        (b'{"arguments": {"k": 1e5000}}', "params.arguments.k: The number is too large."),
        (b"null", "params: It must be a JSON object."),
        (b"[1]", "params: It must be a JSON object."),
    ],
)
async def test_langgraphs_own_mcp_gets_no_message_that_it_fails_on(
    params: bytes, detail: str
) -> None:
    """Also from this machine, without a key."""
    status, said = await answered("/mcp", b'{"id": 1, "params": ' + params + b"}")
    assert status == 400
    assert said.startswith(detail)


@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"id": 1}', b'{"params": {"k": 3}}', b"[]"])
async def test_langgraphs_own_mcp_gets_every_other_message(body: bytes) -> None:
    assert await answered("/mcp", body) == (200, "")


async def test_other_routes_without_a_key_are_left_alone() -> None:
    assert await answered("/runs/wait", b'{"params": 1e5000}') == (200, "")
