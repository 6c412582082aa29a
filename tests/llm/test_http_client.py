"""An answer has a largest size, however it comes, and comes from the server that was asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import httpx2
import pytest
from langchain_core.language_models import BaseChatModel
from openai import APIConnectionError, OpenAIError
from pydantic import SecretStr
from re2llm.errors import Failure
from re2llm.llm.client import http_client as limited_answers
from re2llm.llm.client.factory import make_chat_model
from re2llm.llm.client.retry import may_pass
from re2llm.llm.errors.failures import read_failure
from re2llm.llm.errors.stream_errors import with_errors
from re2llm.settings import Settings

LIMIT = 100_000
SAID = "x" * 300
ENDLESS = 10_000
Send = Callable[[asyncio.StreamWriter], Any]


def answer(content: str) -> bytes:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {"id": "a", "object": "chat.completion", "created": 1, "model": "m"}
    return json.dumps({**whole, "choices": [choice], "usage": usage}).encode()


def head(kind: str, *more: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"content-type: {kind}", *more, "", ""]).encode()


@contextmanager
def serving(part: bytes, times: int, first: bytes) -> Iterator[tuple[str, list[int]]]:
    """Send a head and a part so often, as long as the client reads; tell how often it was."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    sent = [0]
    urls: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", asked)
        # A connection with something left to read is reset, which may lose the answer.
        await reader.readexactly(int(length[1]) if length else 0)
        try:
            writer.write(first)
            for _ in range(times):
                writer.write(part)
                await writer.drain()
                sent[0] += 1
        except ConnectionError:
            pass
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()], daemon=True)
    thread.start()
    assert ready.wait(10)
    yield urls[0], sent
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited_answers, "LARGEST_ANSWER", LIMIT)


def model(url: str) -> BaseChatModel:
    settings = Settings(base_url=url, api_key=SecretStr("sk-none"), request_timeout=20)
    return make_chat_model(settings, "openai:m")


async def heard(url: str, *, streams: bool) -> str:
    """Ask a question; return what is answered, in parts or whole."""
    if streams:
        return "".join([chunk.text async for chunk in model(url).astream("Hello")])
    return str((await model(url).ainvoke("Hello")).text)


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain"])
async def test_an_endless_answer_is_ended(kind: str) -> None:
    with serving(b" " * 5_000, ENDLESS, head(kind)) as (url, sent):
        with pytest.raises(APIConnectionError) as failed:
            await model(url).ainvoke("Hello")
        assert sent[0] < ENDLESS
    assert "larger than" in read_failure(failed.value).said


async def test_an_endless_stream_is_ended() -> None:
    event = b'data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m",'
    event += b'"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"x" * 4_000)
    with serving(event, ENDLESS, head("text/event-stream")) as (url, sent):
        heard: list[str] = []

        async def listen() -> None:
            async for chunk in model(url).astream("Hello"):
                heard.append(chunk.text)  # noqa: PERF401  # it is cut short by the error

        with pytest.raises(APIConnectionError) as failed:
            await listen()
        assert 0 < len("".join(heard)) < LIMIT
        assert "larger than" in read_failure(failed.value).said
        assert sent[0] < ENDLESS


async def test_an_endless_stream_that_nobody_asked_for_is_ended() -> None:
    with serving(CHUNK, ENDLESS, head("text/event-stream")) as (url, sent):
        with pytest.raises(APIConnectionError) as failed:
            await model(url).ainvoke("Hello")
        assert sent[0] < ENDLESS
    assert "larger than" in read_failure(failed.value).said


async def test_a_packed_answer_counts_unpacked() -> None:
    packed = gzip.compress(answer("x" * 50 * LIMIT))
    assert len(packed) < LIMIT
    first = head("application/json", "content-encoding: gzip", f"content-length: {len(packed)}")
    with serving(packed, 1, first) as (url, _), pytest.raises(APIConnectionError):
        await model(url).ainvoke("Hello")


@pytest.mark.parametrize("packs", [False, True])
async def test_an_answer_within_the_limit_is_read(packs: bool) -> None:
    body = answer(SAID)
    body = gzip.compress(body) if packs else body
    more = ["content-encoding: gzip"] if packs else []
    first = head("application/json", f"content-length: {len(body)}", *more)
    with serving(body, 1, first) as (url, _):
        assert (await model(url).ainvoke("Hello")).text == SAID


CHUNK = b'data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m",'
CHUNK += b'"choices":[{"index":0,"delta":{"content":"The error is \\"error\\""}}]}\n\n'
FULL = "It is full"


@pytest.mark.parametrize(
    ("event", "failure"),
    [
        ('data: {"message": "It is full", "code": 500}', Failure.SERVER_ERROR),
        ('data: {"message": "It is full", "code": "429"}\r', Failure.RATE_LIMITED),
        ('data:{"detail": "It is full"}', Failure.SERVER_ERROR),
        ('data: {"object": "error", "message": "It is full", "code": 401}', Failure.DENIED),
        ('event: error\ndata: {"message": "It is full"}', Failure.SERVER_ERROR),
        ("event: error\ndata: It is full", Failure.SERVER_ERROR),
        ('event: error\ndata: {"error": "It is full"}', Failure.SERVER_ERROR),
        ('data: {"error": {"message": "It is full", "code": 402}}', Failure.DENIED),
        ('data: {"choices": [{"error": {"message": "It is full", "code": 503}}]}', None),
        ('data: [{"error": {"message": "It is full", "status": "UNAVAILABLE"}}]', None),
        ('{"error": {"message": "It is full", "code": 429}}', Failure.RATE_LIMITED),
        ('{"detail": "It is full"}', Failure.SERVER_ERROR),
    ],
)
@pytest.mark.parametrize("chunks", [0, 2])
async def test_an_error_in_a_stream_is_read_whatever_its_form(
    event: str, failure: Failure | None, chunks: int
) -> None:
    first = head("text/event-stream") + chunks * CHUNK
    sent = event.encode() + b"\n\ndata: [DONE]\n\n"
    with serving(sent, 1, first) as (url, _), pytest.raises(Exception) as failed:  # noqa: PT011  # of any class
        [_ async for _ in model(url).astream("Hello")]
    read = read_failure(failed.value)
    assert read.failure is (failure or Failure.SERVER_ERROR)
    assert FULL in read.said


async def test_a_stream_without_an_error_stays_as_it_is() -> None:
    others = (
        b': ping\n\nevent: ping\ndata: {"type": "ping"}\n\ndata: {"choices": [], "usage": null}\n\n'
    )
    body = others + CHUNK + others + b"data: [DONE]\n\n"

    async def cut(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    for size in (1, 7, 1_000):
        assert b"".join([part async for part in with_errors(cut(size))]) == body


def test_a_model_of_the_provider_itself_has_the_limit_too() -> None:
    made: Any = make_chat_model(Settings(api_key=SecretStr("sk-none")), "openai:m")
    assert isinstance(made.http_async_client, limited_answers.AnswerClient)


ODD_BODIES: dict[str, Callable[[bytes], bytes]] = {
    "more behind it": lambda body: body + b"\n[DONE]\n",
    "twice": lambda body: body + body,
    "zero bytes behind it": lambda body: body + b"\n\x00",
    "encoded twice": lambda body: json.dumps(body.decode()).encode(),
    "control signs": lambda body: body.replace(SAID.encode(), b"\t" + SAID.encode() + b"\n"),
    "a mark of its order of bytes": lambda body: b"\xef\xbb\xbf" + body + b"\n[DONE]",
    "three times": lambda body: (body + b"\n") * 3,
}


@pytest.mark.parametrize("write", ODD_BODIES.values(), ids=ODD_BODIES)
async def test_an_answer_is_read_in_a_body_that_is_no_plain_json(
    write: Callable[[bytes], bytes],
) -> None:
    body = write(answer(SAID))
    assert body != answer(SAID)
    with serving(b"", 1, head("application/json") + body) as (url, _):
        assert (await model(url).ainvoke("Hello")).text.strip() == SAID


@pytest.mark.parametrize("charset", ["ISO-8859-1", "windows-1252"])
async def test_an_answer_in_latin_1_is_read_where_its_server_says_so(charset: str) -> None:
    said = "Am\u00e9lie, L\u00e9on"
    body = answer("NAMES").replace(b"NAMES", said.encode("latin-1"))
    with serving(b"", 1, head(f"application/json; charset={charset}") + body) as (url, _):
        assert (await model(url).ainvoke("Hello")).text == said


def part(content: str) -> bytes:
    choice = {"index": 0, "delta": {"content": content}}
    return json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode()


UNSURE: dict[str, bytes] = {
    "parts": b"\n".join(map(part, ["3", ", 1", ", 2"])),
    "the same part twice": part("3") * 2,
    "parts of another name": part("3").replace(b".chunk", b"") * 2,
    "a part encoded twice": json.dumps(part("3").decode()).encode(),
    "two answers": answer("1, 2") + b"\n" + answer("2, 1"),
    "no error, and an answer": b'{"error": null}' + answer(SAID),
    "an answer, and a page": answer(SAID) + b"<html>502 Bad gateway</html>",
    "an answer, and the beginning of one": answer(SAID) + answer(SAID)[:50],
    "four answers": answer(SAID) * 5,
    "Latin-1 that is not named": answer("X").replace(b"X", b"Am\xe9lie"),
    "another script": answer("X").replace(b"X", "\u7535\u5f71".encode("gbk")),
}


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("body", UNSURE.values(), ids=UNSURE)
async def test_a_part_of_a_body_is_not_taken_for_the_answer(body: bytes, streams: bool) -> None:
    with serving(b"", 1, head("application/json") + body) as (url, _), pytest.raises(ValueError):  # noqa: PT011  # of the JSON decoder
        await heard(url, streams=streams)


async def test_an_error_behind_an_answer_counts() -> None:
    body = answer("3, 1") + b'\n{"error": {"message": "upstream is full", "code": 502}}'
    with (
        serving(b"", 1, head("application/json") + body) as (url, _),
        pytest.raises(OpenAIError, match="upstream is full") as failed,
    ):
        await model(url).ainvoke("Hello")
    assert read_failure(failed.value).failure is Failure.SERVER_ERROR


@pytest.mark.parametrize("cut", [1, 20])
async def test_an_answer_that_is_cut_off_is_none(cut: int) -> None:
    body = answer(SAID)[:-cut]
    with serving(b"", 1, head("application/json") + body) as (url, _), pytest.raises(ValueError):  # noqa: PT011  # of the JSON decoder
        await model(url).ainvoke("Hello")


def redirect(status: int, place: str) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nlocation: {place}\r\n\r\n".encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_question_is_not_sent_on_to_another_server(status: int) -> None:
    with (
        serving(b"", ENDLESS, head("application/json") + answer(SAID)) as (inside, asked),
        serving(b"", 1, redirect(status, f"{inside}/secret")) as (url, _),
    ):
        with pytest.raises(APIConnectionError) as failed:
            await model(url).ainvoke("Hello")
        assert asked == [0]
    failure = read_failure(failed.value)
    said = failure.said
    assert not may_pass(failure)
    assert f"{inside}/secret" in said
    assert "RE2LLM_BASE_URL" in said


async def test_the_body_of_a_redirect_is_not_read() -> None:
    with serving(b" " * 50_000, ENDLESS, redirect(307, "/v1/chat/completions")) as (url, sent):
        with pytest.raises(APIConnectionError):
            await model(url).ainvoke("Hello")
        assert sent[0] < ENDLESS


@pytest.mark.parametrize("place", ["http://[", "//", "\x00", "http://127.0.0.1:99999999/"])
async def test_a_redirect_to_nowhere_is_a_failure_of_the_server(place: str) -> None:
    with serving(b"", 1, redirect(307, place)) as (url, _), pytest.raises(OpenAIError):
        await model(url).ainvoke("Hello")


@pytest.mark.parametrize(
    ("method", "old", "new", "status", "follows"),
    [
        ("POST", "http://a/v1/chat/completions", "https://a/v1/chat/completions", 308, True),
        ("POST", "http://a:8000/v1/x", "http://a:8000/v1/x/", 307, True),
        ("POST", "https://a/v1/x", "https://a/v1/x/", 302, False),  # the question would be lost
        ("POST", "https://a/v1/x", "http://a/v1/x", 307, False),  # in the clear
        ("POST", "http://a:8000/v1/x", "http://a:9000/v1/x", 307, False),
        ("POST", "https://a/v1/x", "https://a.example/v1/x", 307, False),
        ("GET", "https://a/v1/files/1/content", "https://store.example/1", 302, True),
        ("GET", "https://a/v1/files/1/content", "http://169.254.169.254/latest", 302, False),
        ("GET", "https://a/v1/batches/1", "https://store.example/1", 302, False),
    ],
)
async def test_a_redirect_is_followed_where_it_leads_nowhere_else(
    method: str, old: str, new: str, status: int, follows: bool
) -> None:
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        if len(asked) == 1:
            return httpx2.Response(status, headers={"location": new})
        return httpx2.Response(200, json={})

    async with limited_answers.AnswerClient(transport=httpx2.MockTransport(handle)) as client:
        request = client.build_request(method, old)
        if follows:
            await client.send(request)
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.send(request)
    assert asked == ([old, new] if follows else [old])


async def test_a_server_is_sent_no_cookie_that_it_has_set() -> None:
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        set_by = [("set-cookie", f"c{len(asked)}-{n}={'x' * 4_000}; Path=/") for n in range(20)]
        if len(asked) % 2:
            again = [("location", str(request.url)), *set_by]
            return httpx2.Response(307, headers=again)
        return httpx2.Response(200, headers=set_by, content=answer(SAID))

    made: Any = make_chat_model(Settings(api_key=SecretStr("sk-none")), "openai:m")
    made.http_async_client._transport = httpx2.MockTransport(handle)
    made.http_async_client._mounts = {}
    client = made.root_async_client
    for _ in range(3):
        assert (await made.ainvoke("Hello")).text == SAID
        await client.with_options(max_retries=0).models.list()
    assert len(asked) == 12
    assert not any("cookie" in request.headers for request in asked)
