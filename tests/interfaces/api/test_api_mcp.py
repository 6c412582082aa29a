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
from re2llm.interfaces.json_sizes import DEEPEST, LONGEST_LIST, MOST_KEYS, MOST_PARTS

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
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/list"}', -32600),
    ],
)
async def test_what_is_no_strict_json_is_refused(
    http: httpx.AsyncClient, body: bytes, code: int
) -> None:
    answer = await http.post("/mcp", content=body, headers=HEADERS)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


async def test_a_batch_is_refused_in_one_sentence(http: httpx.AsyncClient) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    answer = await http.post("/mcp", json=[ping, ping], headers=HEADERS)
    told = {"code": -32600, "message": "Send one message a request: this server takes no batches."}
    assert (answer.status_code, answer.json()["error"]) == (400, told)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize(
    "accepts", [None, "", "*/*", "application/*", "text/html, */*;q=0.1", "application/json"]
)
async def test_whoever_reads_json_is_answered(
    http: httpx.AsyncClient, path: str, accepts: str | None
) -> None:
    request = http.build_request("POST", path, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    del request.headers["accept"]
    if accepts is not None:
        request.headers["accept"] = accepts
    answer = await http.send(request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"] == {}


@pytest.mark.parametrize("accepts", ["text/event-stream", "text/html"])
async def test_whoever_reads_no_json_is_refused(http: httpx.AsyncClient, accepts: str) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    answer = await http.post("/mcp", json=ping, headers={**HEADERS, "accept": accepts})
    assert answer.status_code == 406


@pytest.mark.parametrize("written", ["1.0", "10e0", "-3.00"])
async def test_an_id_that_a_client_writes_as_a_float_is_answered(
    http: httpx.AsyncClient, written: str
) -> None:
    body = f'{{"jsonrpc": "2.0", "id": {written}, "method": "ping"}}'
    answer = await http.post("/mcp", content=body, headers=HEADERS)
    assert answer.json() == {"jsonrpc": "2.0", "id": float(written), "result": {}}


@pytest.mark.parametrize("written", ["1.5", "1e20", "1e30", "1e400", "true", "null", "[1.0]", "{}"])
async def test_an_id_that_cannot_be_answered_is_refused(
    http: httpx.AsyncClient, written: str
) -> None:
    body = f'{{"jsonrpc": "2.0", "id": {written}, "method": "ping"}}'
    answer = await http.post("/mcp", content=body, headers=HEADERS)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {-32600, -32700}


async def test_a_notification_has_no_id(http: httpx.AsyncClient) -> None:
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = await http.post("/mcp", json=told, headers=HEADERS)
    assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
async def test_no_stream_is_opened_that_would_never_end(
    http: httpx.AsyncClient, method: str
) -> None:
    answer = await asyncio.wait_for(http.request(method, "/mcp", headers=HEADERS), 30)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_message_that_is_too_large_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/mcp", content=b" " * (5 * 2**20), headers=HEADERS)
    assert answer.status_code == 413


MANY = "It has more than 50,000 lists and objects."
LONG = "A list has over 20,000 entries, or an object 1,000 keys."
DEEP = "Lists and objects are nested more than 16 deep."
LARGE = "The number is too large."


@pytest.mark.parametrize(
    ("tool", "field", "text", "told"),
    [
        ("rate", "item_reviews", "[" + "{}," * MOST_PARTS + "{}]", MANY),
        ("rate", "item_reviews", "[" + "{}," * LONGEST_LIST + "{}]", LONG),
        ("rate", "item_reviews", "[" + "{}," * 15_000 + "{}]", "at most 10000 items"),
        ("rate", "history", "[" + "1," * LONGEST_LIST + "1]", LONG),
        ("rate", "history", "[" * MOST_PARTS, DEEP),
        ("rate", "item", "{" + ",".join(f'"{n}":1' for n in range(MOST_KEYS + 1)) + "}", LONG),
        ("recommend", "history", "[" * 4_000_000, MANY),
        ("recommend", "history", "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), DEEP),
        ("recommend", "history", "9" * 4_000_000, LARGE),
        ("recommend", "candidates", "[-" + "9" * 5_000 + "]", LARGE),
        ("recommend", "k", "9" * 5_000, LARGE),
        ("recommend", "domain", "[" * 5_000, DEEP),
        ("feedback", "picked", '{"a":' * 5_000, DEEP),
        ("find_titles", "titles", " \n[[" * 30_000, MANY),
    ],
)
async def test_json_in_a_text_is_refused_as_if_it_were_sent_as_json(
    http: httpx.AsyncClient, tool: str, field: str, text: str, told: str
) -> None:
    needed = {
        "rate": {"item": {"title": "Fargo"}, "history": []},
        "recommend": {"history": ["Alien"]},
        "feedback": {"recommendation_id": "x"},
    }
    given = {**needed.get(tool, {}), field: text}
    call = {**CALL, "params": {"name": tool, "arguments": given}}
    answer = (await http.post("/mcp", json=call, headers=HEADERS)).json()["result"]
    assert answer["isError"]
    assert answer["content"][0]["text"].startswith(f"{field}: ")
    assert told in answer["content"][0]["text"]
    assert len(answer["content"][0]["text"]) < 300


async def test_a_text_that_holds_no_list_is_a_title(http: httpx.AsyncClient) -> None:
    for title in ("[REC]", "{}{", "1917", '"Alien"', "[" * 100 + "x"):
        call = {**CALL, "params": {"name": "find_titles", "arguments": {"titles": title}}}
        answer = (await http.post("/mcp", json=call, headers=HEADERS)).json()["result"]
        assert not answer["isError"], answer
        assert answer["structuredContent"]["titles"][0]["typed"] == title


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
