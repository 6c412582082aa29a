"""An answer of very many parts is refused before anything reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from openai import APIConnectionError
from re2llm.llm.client.odd_bodies import body_in
from re2llm.llm.client.oversized import LONGEST_WHOLE, MOST_PARTS, Events, refuse_oversized
from re2llm.llm.errors.failures import read_failure

from .test_http_client import SAID, answer, head, heard, model, serving

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


MANY = body(*[choice()] * 21)
HIDDEN = {
    "with more behind it": MANY + b"\n[DONE]",
    "with a control sign": MANY.replace(SAID.encode(), b"\t", 1),
    "with an infinite number": MANY.replace(b'"created": 1', b'"created": Infinity'),
    "encoded twice": json.dumps(MANY.decode()).encode(),
    "under names": body().replace(
        b'"choices": []', b'"choices": ' + json.dumps(dict.fromkeys(range(30), choice())).encode()
    ),
}


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("oversized", HIDDEN.values(), ids=HIDDEN)
async def test_an_oversized_answer_in_an_odd_body_is_refused(
    oversized: bytes, streams: bool
) -> None:
    first = head("application/json") + oversized
    with serving(b"", 1, first) as (url, _), pytest.raises(APIConnectionError) as failed:
        await heard(url, streams=streams)
    assert "too many parts" in read_failure(failed.value).said


def test_brackets_that_are_hidden_in_a_text_are_counted() -> None:
    inner = "[" * 300_000
    with pytest.raises(httpx.RemoteProtocolError):
        body_in(json.dumps(inner).replace("[", "\\u005b").encode(), inner)


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
