"""No value in a server's answer, at any place, ends what reads it with an error of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import httpx2
import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from re2llm.llm.client.answer_stream import AnswerOnlyModel, ChatTraits, StreamedAnswer
from re2llm.llm.client.batches import BatchClient, BatchStatus
from re2llm.llm.client.endpoint import Endpoint
from re2llm.llm.client.http_client import AnswerClient
from re2llm.llm.client.limits import Limits
from re2llm.llm.client.openai_server import OpenAIServer
from re2llm.llm.errors.failures import read_failure
from re2llm.llm.text.thoughts import without_thoughts_in
from re2llm.settings import Settings

KEY = b"key"
ODD: list[Any] = [
    [],
    {},
    [[]],
    [{}],
    {"a": [1]},
    None,
    True,
    -1,
    1e300,
    "",
    "batch_expired",
    [None],
]
MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "text", "text": '{"ranking": [1]}'}, {"type": "thinking", "text": "t"}],
    "tool_calls": [
        {"id": "1", "type": "function", "index": 0, "function": {"name": "r", "arguments": "{}"}}
    ],
    "refusal": None,
}
BODY: dict[str, Any] = {
    "id": "a",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE, "logprobs": None}],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "total_tokens": 2,
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
LINE = {
    "id": "l",
    "custom_id": KEY.hex(),
    "response": {"status_code": 200, "request_id": "r", "body": BODY},
    "error": {"code": "c", "message": "m"},
}
FAILED = {
    "custom_id": KEY.hex(),
    "response": {
        "status_code": 400,
        "body": {"error": {"code": "c", "type": "t", "param": "p", "message": "m"}},
    },
    "error": None,
}


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from ((key, *rest) for rest in places(value[key]))


def with_odd(value: Any) -> Iterator[Any]:
    """Return copies of a value, each with one odd value at one place."""
    for place in places(value):
        for odd in ODD:
            made = {"whole": deepcopy(value)}
            held: Any = made
            for key in ("whole", *place)[:-1]:
                held = held[key]
            held[("whole", *place)[-1]] = odd
            yield made["whole"]


@pytest.mark.parametrize("line", [LINE, FAILED], ids=["answered", "failed"])
async def test_a_line_of_a_batch_is_answered_or_has_failed(line: Any) -> None:
    model = ChatOpenAI(model="x", api_key=SecretStr("sk-none"))
    client = BatchClient(Endpoint("x", model, Limits(1, None), Settings()))

    async def lines(odd: Any, *_: Any) -> AsyncIterator[bytes]:
        yield json.dumps(odd).encode()

    status = BatchStatus("b", "completed", files=["f"])
    for odd in with_odd(line):
        client._text_lines = partial(lines, odd)
        found = await client.lines(status, "json_schema", None, [KEY])
        known = isinstance(odd, dict) and odd.get("custom_id") == KEY.hex()
        assert len(found) == known, odd


async def _read(body: Any) -> AIMessage:
    """Read an answer as the chat does."""
    answer = json.dumps(body).encode()
    head = {"content-type": "application/json"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=head, content=answer))
    async with AnswerClient(transport=transport) as client:
        key = SecretStr("sk-none")
        server = OpenAIServer(model="m", api_key=key, http_async_client=client, max_retries=0)
        record = StreamedAnswer(ChatTraits())
        spoken = AnswerOnlyModel(inner=server, streamed=record, cache=False)
        async for _ in spoken.astream("Hello"):
            pass
        assert record.answer is not None
        return record.answer


@pytest.mark.filterwarnings("ignore:(?s)Pydantic serializer warnings")
async def test_an_answer_in_the_chat_is_read_or_has_failed() -> None:
    for odd in with_odd(BODY):
        (end,) = await asyncio.gather(_read(odd), return_exceptions=True)
        assert not isinstance(end, TypeError | AttributeError | LookupError), (odd, end)
        assert isinstance(end, AIMessage) or read_failure(end).failure, odd


def test_thoughts_in_any_blocks_are_left_out() -> None:
    """Also of a message that a caller sends, or that an older version has stored."""
    for odd in with_odd(MESSAGE["content"]):
        if isinstance(odd, list):
            blocks = [one for one in odd if isinstance(one, dict | str)]
            message = AIMessage(blocks)
            assert "thinking" not in json.dumps(without_thoughts_in(message).content), odd
