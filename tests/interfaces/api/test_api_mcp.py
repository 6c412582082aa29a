"""What the MCP server refuses, and what its log says of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from re2llm.interfaces.api.logs import JsonFormatter

pytest.importorskip("mcp", reason="needs the extra `mcp`")
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
WORD = "abracadabra"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Every line that a server would log from WARNING on; it fills up."""
    found: list[str] = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    reader = Reader(logging.WARNING)
    reader.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(reader)
    yield found
    logging.getLogger().removeHandler(reader)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', -32700),
        (b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping"', -32700),
        (b"", -32700),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": %s}}'
            % (b"[" * 400 + b"]" * 400),
            -32600,
        ),
        (b'{"params": {"x": ' + b"[" * 100_000, -32700),
    ],
)
async def test_what_is_no_strict_json_is_refused(
    http: httpx.AsyncClient, body: bytes, code: int
) -> None:
    answer = await http.post("/mcp", content=body, headers=HEADERS)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
async def test_no_stream_is_opened_that_would_never_end(
    http: httpx.AsyncClient, method: str
) -> None:
    answer = await asyncio.wait_for(http.request(method, "/mcp", headers=HEADERS), 30)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_message_that_is_too_large_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/mcp", content=b" " * (5 * 2**20), headers=HEADERS)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "message",
    [
        {**CALL, "params": {"name": WORD * 100_000, "arguments": {}}},
        {**CALL, "params": {"name": f"{WORD}\x9b31m", "arguments": {}}},
        {**CALL, "method": "no/such", "params": {"said": WORD * 1000}},
        {"jsonrpc": "2.0", "method": "no/such", "params": {"said": WORD * 1000}},
        {"jsonrpc": "2.0", "id": WORD, "result": {"said": WORD * 1000}},
    ],
)
async def test_the_log_quotes_no_message(
    http: httpx.AsyncClient, written: list[str], message: dict[str, Any]
) -> None:
    answer = await http.post("/mcp", json=message, headers=HEADERS)
    assert answer.status_code < 500
    for _ in range(200):  # what is no request is read after the answer
        if written:
            break
        await asyncio.sleep(0.02)
    assert any("mcp: " in json.loads(line)["message"] for line in written)
    assert WORD not in "".join(written)


def test_a_line_of_the_log_has_a_limited_size_and_is_always_written() -> None:
    error = ValueError("x" * 10**6 + "\n" + "y\n" * 10**5 + "\ud800\x9b")
    trace = (ValueError, error, None)
    message = "\ud800\x1b" + "x" * 10**6
    record = logging.LogRecord("re2llm", logging.ERROR, "x.py", 1, message, (), trace)
    record.facts = {"method": "z" * 10**6, "status": 500}
    line = json.loads(JsonFormatter().format(record))
    assert line["message"].startswith("\ufffd\ufffdxxx")
    assert len(line["message"]) <= 2_001
    assert len(line["trace"]) <= 8_000
    assert len(line["method"]) <= 2_001
    assert line["status"] == 500
    assert not set("\ud800\x1b\x9b") & set(json.dumps(line, ensure_ascii=False))
