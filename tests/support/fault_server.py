"""A real HTTP server on loopback that speaks OpenAI's chat completions, and fails on demand."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]
Speak = Callable[[Body], str]


@dataclass
class Asked:
    """One request as it arrived."""

    at: float
    headers: dict[str, str]
    body: Body

    @property
    def method(self) -> str:
        kind = self.body.get("response_format", {}).get("type")
        if self.body.get("tools") and "tool_choice" in self.body:
            return "function_calling"
        return {"json_schema": "json_schema", "json_object": "json_mode"}.get(kind, "plain")

    @property
    def user(self) -> str:
        """The first user message."""
        return str(self.body["messages"][1]["content"])

    @property
    def text(self) -> str:
        return "\n".join(str(message["content"]) for message in self.body["messages"])


def candidates(body: Body) -> int:
    """Count the candidates of a ranking prompt."""
    text = "\n".join(str(message["content"]) for message in body["messages"])
    numbers = re.findall(r"(?m)^(\d+)\|", text)
    return max(map(int, numbers), default=0)


def lettered(body: Body) -> str:
    """Return the letters of a prompt that asks for one."""
    text = "\n".join(str(message["content"]) for message in body["messages"])
    return "".join(re.findall(r"(?m)^([A-T])\|", text))


def logprobs(odds: dict[str, float], *before: str) -> Body:
    """Return OpenAI's form: one token with alternatives, after those of a thought."""
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in odds.items()]
    first = max(odds, key=odds.__getitem__)
    thought = [{"token": token, "logprob": -0.1, "top_logprobs": top} for token in before]
    return {"content": [*thought, {**top[list(odds).index(first)], "top_logprobs": top}]}


def backwards(body: Body) -> str:
    return json.dumps({"ranking": list(range(candidates(body), 0, -1))})


@dataclass
class FaultServer:
    """Plays the faults that it was given, in turn, and then answers well."""

    speak: Speak = backwards
    asked: list[Asked] = field(default_factory=list)
    unsupported: set[str] = field(default_factory=set)
    """Ways of asking for JSON that it answers with 400; `temperature`: any but its own."""
    refuse: Callable[[Body], tuple[int, Any] | None] = lambda _: None
    """Returns a status and a body for what the server does not take, and `None` for the rest."""
    delay: float = 0.0
    """Seconds that a good answer takes, or a refusal of a temperature."""
    most_at_once: int = 0
    """Requests that were ever in flight together."""
    chance: float = 0.0
    """With which a request meets a random fault."""
    url: str = ""
    more: Body = field(default_factory=dict)
    """What its good answers hold besides, or instead."""
    logprobs: Callable[[Body], Any] | None = None
    """What its good answers hold as `logprobs` if a request asks for them; `None` for nothing."""
    _at_once: int = 0
    _script: deque[str] = field(default_factory=deque)
    _random: random.Random = field(default_factory=lambda: random.Random(5))

    def play(self, *faults: str) -> None:
        self._script.extend(faults)

    def clear(self) -> None:
        self._script.clear()

    @contextmanager
    def running(self) -> Iterator[FaultServer]:
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            ready.set()
            await stop.wait()
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        thread = threading.Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head.splitlines()[1:])
            }
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            asked = Asked(time.monotonic(), headers, body)
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                await self._answer(asked, writer)
            finally:
                self._at_once -= 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        fault = self._script.popleft() if self._script else ""
        if not fault and self._random.random() < self.chance:
            fault = self._random.choice(sorted(FAULTS))
        if not fault and asked.method in self.unsupported:
            fault = "unsupported"
        if not fault and "temperature" in self.unsupported & asked.body.keys():
            fault = "no temperature"
            await asyncio.sleep(self.delay)
        if not fault and (refusal := self.refuse(asked.body)):
            await send(writer, *refusal)
            return
        if fault and not fault.startswith("says "):
            await FAULTS_AND_MORE[fault](writer)
            return
        await asyncio.sleep(self.delay)
        content = fault[5:] if fault else self.speak(asked.body)
        if asked.body.get("stream"):
            await stream(writer, content.split(" "), ends=True)
            return
        message: Body = {"role": "assistant", "content": content}
        if asked.method == "function_calling":
            name = asked.body["tools"][0]["function"]["name"]
            call = {"name": name, "arguments": content}
            message = {"role": "assistant", "content": None, "tool_calls": [
                {"id": "1", "type": "function", "function": call}]}  # fmt: skip
        answer = completion(message)
        if asked.body.get("logprobs") and self.logprobs is not None:
            answer["choices"][0]["logprobs"] = self.logprobs(asked.body)
        await send(writer, 200, {**answer, **self.more})


def completion(message: Body, finish: str = "stop") -> Body:
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "fault",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def error(message: str, code: str | None = None) -> Body:
    return {"error": {"message": message, "type": "error", "code": code}}


async def send(
    writer: asyncio.StreamWriter, status: int, body: Body | list[Body] | bytes, **headers: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Answer", "content-type: application/json", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"content-length: {len(content)}")
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await writer.drain()


async def stream(writer: asyncio.StreamWriter, words: list[str], *, ends: bool) -> None:
    """Send an answer word by word; one that does not end is cut off."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
    writer.write(b"transfer-encoding: chunked\r\n\r\n")
    deltas = [{"role": "assistant", "content": f"{word} "} for word in words]
    for delta in [*deltas, {}] if ends else deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
        body = {**completion({}), "object": "chat.completion.chunk", "choices": [choice]}
        await send_part(writer, json.dumps({**body, "usage": None}))
        await asyncio.sleep(0.01)
    if ends:
        await send_part(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    else:
        writer.transport.abort()


async def send_part(writer: asyncio.StreamWriter, data: str) -> None:
    event = f"data: {data}\n\n".encode()
    writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
    await writer.drain()


async def cut_stream(writer: asyncio.StreamWriter) -> None:
    await stream(writer, ["I", "was", "about"], ends=False)


async def wordless_stream(writer: asyncio.StreamWriter) -> None:
    await stream(writer, [], ends=True)


def sending(
    status: int, body: Body | bytes, **headers: str
) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    return lambda writer: send(writer, status, body, **headers)


def saying(content: str | None, finish: str = "stop", **more: Any) -> Any:
    return sending(200, completion({"role": "assistant", "content": content, **more}, finish))


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    for _ in range(6000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{"id": "x", "choi')
    await writer.drain()
    writer.transport.abort()


REFUSAL = "I cannot help with that."
FAULTS: dict[str, Callable[[asyncio.StreamWriter], Awaitable[None]]] = {
    "429": sending(429, error("slow down")),
    "500": sending(500, error("oops")),
    "503": sending(503, b"<html>overloaded</html>"),
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "no choices": sending(200, {**completion({}), "choices": []}),
    "null choices": sending(200, {**completion({}), "choices": None}),
    "no JSON": sending(200, b'{"id": "x", "choices": [{"mess'),
    "truncated": saying('{"ranking": [2, 1', finish="length"),
    "wrong ids": saying('{"ranking": [99, 2, 2, 0, 1]}'),
    "2 MB": saying("All of these films are quite lovely. " * 60_000),
    "empty": saying(""),
    "refusal": saying(None, refusal=REFUSAL),
}
"""What passes or may be repaired."""

FAULTS_AND_MORE = {
    **FAULTS,
    "429 for a second": sending(429, error("slow down"), retry_after="1"),
    "429 for an hour": sending(429, error("slow down"), retry_after="3600"),
    "quota": sending(429, error("You exceeded your quota", "insufficient_quota")),
    "400": sending(400, error("That request makes no sense")),
    "unsupported": sending(400, error("response_format, tools: unsupported here")),
    "no tools": sending(404, error("No endpoints found that support tool use")),
    "no tools here": sending(400, error("registry/model:latest does not support tools")),
    "no such field": sending(422, error("body.tools: Extra inputs are not permitted")),
    "no parser": sending(400, error('"auto" tool choice requires --enable-auto-tool-choice')),
    "too long": sending(400, error("9000 tokens (800 in the functions). Reduce the messages.")),
    "no temperature": sending(400, error("Unsupported value: 'temperature' does not support 0")),
    "filtered": sending(400, error("The prompt was filtered", "content_filter")),
    "401": sending(401, error("Incorrect API key provided: sk-secret-1234567890")),
    "403": sending(403, error("Not allowed")),
    "404": sending(404, error("No such model")),
    "prose": saying(REFUSAL),
    "cut stream": cut_stream,
    "wordless stream": wordless_stream,
    "in reasoning_content": saying(None, reasoning_content='{"ranking": [8, 7, 6, 5, 4, 3, 2, 1]}'),
    "thoughts alone": saying(None, reasoning_content='Perhaps {"ranking": [1, 2, 3, 4]}, or else'),
}
