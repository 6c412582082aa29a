"""An answer of very many parts is refused before anything reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from re2llm.llm.client.oversized import LONGEST_WHOLE, MOST_PARTS, Events, refuse_oversized

from .test_http_client import SAID, answer, head, model, serving

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
WHOLE = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
CHOICE: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
TOKEN = {"token": "a", "logprob": -1.0, "bytes": [97]}
MEASURED = {**TOKEN, "top_logprobs": [TOKEN] * 20}


def body(*choices: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({**WHOLE, "choices": choices, **more}).encode()


def choice(content: Any = SAID, **message: Any) -> dict[str, Any]:
    return {**CHOICE, "message": {"role": "assistant", "content": content, **message}}


@pytest.mark.parametrize(
    "oversized",
    [
        body(*[choice()] * 21),
        body(*[{}] * 100_000),
        body(choice(None, tool_calls=[{}] * MOST_PARTS)),
        body(choice(annotations=[[]] * MOST_PARTS)),
        body({**choice(), "logprobs": {"content": [TOKEN] * MOST_PARTS}}),
        body(choice(), more={f"key{number}": 1 for number in range(10 * MOST_PARTS)}),
        b"[" * 300_000,
        answer("7 " * (LONGEST_WHOLE // 2)),  # whose text would be searched for half a minute
    ],
)
async def test_an_oversized_answer_is_refused(oversized: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        refuse_oversized(oversized)
    first = head("application/json", f"content-length: {len(oversized)}")
    with serving(oversized, 1, first) as (url, _), pytest.raises(Exception, match="onnection"):
        await model(url).ainvoke("Hello")


@pytest.mark.parametrize(
    "usual",
    [
        answer(SAID),
        answer("7 " * (LONGEST_WHOLE // 3)),
        answer(json.dumps([{"id": number} for number in range(10_000)])),
        body(choice(), choice("other")),
        body(
            {**choice(), "logprobs": {"content": [{**TOKEN, "top_logprobs": [TOKEN] * 20}] * 100}}
        ),
        b"[" * 1_000,  # no JSON, which is another failure
        b"<html>",
    ],
)
def test_a_usual_answer_is_not(usual: bytes) -> None:
    refuse_oversized(usual)


async def test_an_oversized_event_of_a_stream_is_refused() -> None:
    event = b'data: {"id":"a","choices":[' + b"{}," * 2 * MOST_PARTS + b"{}]}\n\n"
    first = head("text/event-stream")
    with serving(event, 1, first) as (url, _), pytest.raises(Exception, match="onnection"):
        [chunk async for chunk in model(url).astream("Hello")]


def test_events_are_counted_each_on_its_own() -> None:
    events = Events()
    for _ in range(3 * MOST_PARTS):
        events.look(b'data: {"choices":[{}]}\n\n')
    events.look(b"{" * MOST_PARTS)
    with pytest.raises(httpx.RemoteProtocolError):
        events.look(b"{")
