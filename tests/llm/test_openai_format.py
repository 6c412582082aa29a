"""Answers that OpenAI's servers would write in another way are read, whole and in parts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from langchain_core.messages import AIMessage
from openai import PermissionDeniedError
from pydantic import SecretStr
from re2llm.errors import Failure
from re2llm.llm.client.answer_stream import AnswerOnlyModel, ChatTraits, StreamedAnswer
from re2llm.llm.client.events import joined
from re2llm.llm.client.http_client import AnswerClient
from re2llm.llm.client.openai_format import Chunks, as_completion
from re2llm.llm.client.openai_messages import arguments_text
from re2llm.llm.client.openai_server import OpenAIServer
from re2llm.llm.client.oversized import MOST_PARTS
from re2llm.llm.errors.failures import ModelFailedError, read_failure
from re2llm.llm.responses import answer_text
from re2llm.llm.usage import Usage, read_usage

pytestmark = pytest.mark.filterwarnings("ignore:(?s)Pydantic serializer warnings")

SAID = "How about Heat?"
RANKING = {"ranking": [2, 1]}
TEXT = json.dumps(RANKING)
SCHEMA = {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object"}}}
TOKENS = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
Body = dict[str, Any]


def body(message: Any, usage: Any = TOKENS, **more: Any) -> Body:
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    whole = {"id": "a", "object": "chat.completion", "created": 1, "model": "m"}
    return {**whole, "choices": [choice], "usage": usage, **more}


def call(arguments: Any, **more: Any) -> Body:
    function = {"name": "rank", "arguments": arguments}
    made = {"id": "1", "type": "function", "function": function, **more}
    return {"role": "assistant", "content": None, "tool_calls": [made]}


def events(*parts: Any) -> bytes:
    said = [part if isinstance(part, str) else json.dumps(part) for part in [*parts, "[DONE]"]]
    return "".join(f"data: {one}\n\n" for one in said).encode()


def part(delta: Any, finish: str | None = None, **more: Any) -> Body:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "a", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def served(answer: bytes, kind: str) -> OpenAIServer:
    """Return a model whose server gives one answer."""
    head = {"content-type": kind}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=head, content=answer))
    client = AnswerClient(transport=transport)
    key = SecretStr("sk-none")
    return OpenAIServer(model="m", api_key=key, http_async_client=client, max_retries=0)


async def whole(answer: bytes, kind: str = "application/json", **options: Any) -> AIMessage:
    said: Any = await served(answer, kind).bind(**options).ainvoke("Hello")
    assert isinstance(said, AIMessage)
    return said


async def streamed(answer: bytes, kind: str = "text/event-stream") -> AIMessage:
    """Read as a chat does."""
    record = StreamedAnswer(ChatTraits())
    spoken = AnswerOnlyModel(inner=served(answer, kind), streamed=record, cache=False)
    heard = [one async for one in spoken.astream("Hello")]
    assert record.answer is not None
    assert "".join(one.text for one in heard) == record.answer.text
    return record.answer


GOOD: Body = {"role": "assistant", "content": SAID}
MESSAGES: dict[str, Any] = {
    "no role": {"content": SAID},
    "role null": {"role": None, "content": SAID},
    "role model": {"role": "model", "content": SAID},
    "parts": {"content": [{"type": "text", "text": one} for one in ("How about ", "Heat?")]},
    "parts without a type": {"content": [{"text": SAID}]},
    "parts of another type": {"content": [{"type": "output_text", "text": SAID}]},
    "one part": {"content": {"type": "text", "text": SAID}},
    "a number as id": {**GOOD, "id": 7, "name": 8},
    "odd lists": {**GOOD, "tool_calls": "none", "function_call": []},
    "a text": SAID,
}
BODIES: dict[str, Body] = {
    "choices as an object": body(GOOD) | {"choices": body(GOOD)["choices"][0]},
    "choices by number": body(GOOD) | {"choices": {"0": body(GOOD)["choices"][0]}},
    "a null beside": body(GOOD) | {"choices": [None, *body(GOOD)["choices"]]},
    "a bare choice": body(GOOD) | {"choices": [{"message": GOOD}]},
    "an old choice": body(GOOD) | {"choices": [{"text": SAID}]},
    "odd names": body(GOOD, id=None, model=None, created="now", service_tier=[], object=5),
    "a number as id": body(GOOD, id=5, model=6, system_fingerprint=7),
    "an unknown end": body(GOOD) | {"choices": [{"message": GOOD, "finish_reason": 5}]},
}
USAGES: dict[str, tuple[Any, Usage | None]] = {
    "a list": ([TOKENS], None),
    "a text": ("13", None),
    "lists of details": (
        {**TOKENS, "prompt_tokens_details": [{"modality": "TEXT", "tokenCount": 9}]},
        Usage(9, 4),
    ),
    "texts as details": ({**TOKENS, "completion_tokens_details": "none"}, Usage(9, 4)),
    "numbers as text": (
        {"prompt_tokens": "9", "completion_tokens": "4", "total_tokens": "13"},
        Usage(9, 4),
    ),
    "cached as text": ({**TOKENS, "prompt_tokens_details": {"cached_tokens": "3"}}, Usage(9, 4, 3)),
    "fractions": ({"prompt_tokens": 9.0, "completion_tokens": 4.4}, Usage(9, 4)),
    "less than nothing": ({**TOKENS, "completion_tokens": -4}, Usage(9, 4)),
    "huge": ({"prompt_tokens": 10**30, "completion_tokens": 4}, Usage(10**9, 4)),
    "objects": ({"prompt_tokens": {"n": 9}, "completion_tokens": 4}, None),
}


@pytest.mark.parametrize("options", [{}, {"response_format": SCHEMA}], ids=["plain", "schema"])
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_a_message_is_read_whatever_its_form(message: Any, options: Body) -> None:
    said = await whole(json.dumps(body(message)).encode(), **options)
    assert answer_text(said) == SAID
    assert read_usage(said) == Usage(9, 4)


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_a_part_of_a_message_is_read_whatever_its_form(message: Any) -> None:
    delta = {"content": message} if isinstance(message, str) else message
    said = await streamed(events(part(delta), part({}, "stop"), part({}, usage=TOKENS)))
    assert said.text == SAID
    assert read_usage(said) == Usage(9, 4)


@pytest.mark.parametrize("options", [{}, {"response_format": SCHEMA}], ids=["plain", "schema"])
@pytest.mark.parametrize("answer", BODIES.values(), ids=BODIES)
async def test_an_answer_is_read_whatever_stands_around_it(answer: Body, options: Body) -> None:
    said = await whole(json.dumps(answer).encode(), **options)
    assert (answer_text(said), read_usage(said)) == (SAID, Usage(9, 4))
    assert (await streamed(events(answer))).text == SAID


@pytest.mark.parametrize("options", [{}, {"response_format": SCHEMA}], ids=["plain", "schema"])
@pytest.mark.parametrize(("usage", "expected"), USAGES.values(), ids=USAGES)
async def test_an_answer_is_read_whatever_its_usage_is(
    usage: Any, expected: Usage | None, options: Body
) -> None:
    said = await whole(json.dumps(body(GOOD, usage)).encode(), **options)
    assert (answer_text(said), read_usage(said)) == (SAID, expected)
    heard = await streamed(events(part(GOOD), part({}, "stop", usage=usage)))
    assert heard.text == SAID
    assert read_usage(heard) == expected


@pytest.mark.parametrize("content", [RANKING, [RANKING], [2, 1], 7, True], ids=str)
async def test_data_in_place_of_a_text_is_read_as_json(content: Any) -> None:
    said = await whole(json.dumps(body({"content": content})).encode())
    assert json.loads(answer_text(said)) == content
    assert json.loads((await streamed(events(part({"content": content})))).text) == content


ARGUMENTS: dict[str, tuple[Any, Any]] = {
    "an object": (RANKING, RANKING),
    "encoded twice": (json.dumps(TEXT), RANKING),
    "encoded three times": (json.dumps(json.dumps(TEXT)), RANKING),
    "a list": ([2, 1], {"arguments": [2, 1]}),
    "a list as text": ("[2, 1]", {"arguments": [2, 1]}),
    "a list encoded twice": (json.dumps("[2, 1]"), {"arguments": [2, 1]}),
    "null": (None, {}),
    "null as text": ("null", {}),
    "nothing": ("", {}),
    "an empty object": ({}, {}),
    "a number": (5, {"arguments": 5}),
}
CALLS: dict[str, Body] = {
    "no id": call(TEXT, id=None),
    "a number as id": call(TEXT, id=3),
    "no type": call(TEXT, type=None),
    "flat": {"tool_calls": [{"id": "1", "name": "rank", "arguments": TEXT}]},
    "one": {"content": "", "tool_calls": call(TEXT)["tool_calls"][0]},
    "a null beside": {"tool_calls": [None, *call(TEXT)["tool_calls"]]},
}


@pytest.mark.parametrize(("arguments", "expected"), ARGUMENTS.values(), ids=ARGUMENTS)
async def test_arguments_of_a_call_are_read_whatever_their_form(
    arguments: Any, expected: Any
) -> None:
    message = call(arguments)
    for said in (
        await whole(json.dumps(body(message)).encode()),
        await streamed(events(part(message), part({}, "tool_calls"))),
        await whole(events(part(message)), "text/event-stream"),
        await streamed(json.dumps(body(message)).encode(), "application/json"),
    ):
        assert [(one["name"], one["args"]) for one in said.tool_calls] == [("rank", expected)]
        assert not said.invalid_tool_calls


@pytest.mark.parametrize("message", CALLS.values(), ids=CALLS)
async def test_a_call_is_read_whatever_its_form(message: Body) -> None:
    for said in (
        await whole(json.dumps(body(message)).encode()),
        await streamed(events(part(message), part({}, "tool_calls"))),
    ):
        assert [(one["name"], one["args"]) for one in said.tool_calls] == [("rank", RANKING)]
        assert said.tool_calls[0]["id"]


async def test_arguments_encoded_twice_are_read_in_pieces_too() -> None:
    twice = json.dumps(TEXT)
    pieces = [twice[:3], twice[3:9], twice[9:]]
    first, *others = pieces
    deltas = [call(first, index=0)] + [
        {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in others
    ]
    answer = events(*map(part, deltas), part({}, "tool_calls"))
    for said in (await streamed(answer), await whole(answer, "text/event-stream")):
        assert [one["args"] for one in said.tool_calls] == [RANKING]


async def test_an_ordinary_call_in_pieces_stays_as_it_is() -> None:
    """A piece may look like a text that is encoded twice."""
    asked = {"about": json.dumps({"a": 1})}
    whole_text = json.dumps(asked)
    at = whole_text.index(":") + 2
    pieces = [whole_text[:at], whole_text[at:-1], "}"]
    deltas = [call({}, index=0)] + [
        {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces
    ]
    answer = events(*map(part, deltas), part({}, "tool_calls"))
    for said in (await streamed(answer), await whole(answer, "text/event-stream")):
        assert [one["args"] for one in said.tool_calls] == [asked]


async def test_calls_without_an_index_are_told_apart() -> None:
    deltas = [call(json.dumps({"n": n}), id=str(n)) for n in range(2)]
    said = await streamed(events(*map(part, deltas), part({}, "tool_calls")))
    assert [one["args"] for one in said.tool_calls] == [{"n": 0}, {"n": 1}]


@pytest.mark.parametrize("ids", [tuple("abcd"), ("",) * 4, ("a", "b", None, "d")], ids=str)
@pytest.mark.parametrize("indexes", [(0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 1, 3)], ids=str)
async def test_calls_that_share_an_index_are_told_apart(
    ids: tuple[Any, ...], indexes: tuple[int, ...]
) -> None:
    """As Gemini and older Ollama send them."""
    deltas = [
        call(json.dumps({"n": n}), id=id_, index=index)
        for n, (id_, index) in enumerate(zip(ids, indexes, strict=True))
    ]
    together = {"tool_calls": [one for delta in deltas for one in delta["tool_calls"]]}
    for parts in (deltas, [together]):
        answer = events(*map(part, parts), part({}, "tool_calls"))
        for said in (await streamed(answer), await whole(answer, "text/event-stream")):
            assert [one["args"] for one in said.tool_calls] == [{"n": n} for n in range(4)]
            assert len({one["id"] for one in said.tool_calls}) == 4


async def test_calls_that_share_an_index_may_come_in_pieces() -> None:
    deltas: list[Body] = []
    for n in range(2):
        deltas.append(call("", id=str(n), index=0))
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in ('{"n"', f": {n}}}")
        ]
    answer = events(*map(part, deltas), part({}, "tool_calls"))
    for said in (await streamed(answer), await whole(answer, "text/event-stream")):
        assert [one["args"] for one in said.tool_calls] == [{"n": 0}, {"n": 1}]


# In parts where the whole was asked for, and the reverse


def words(**more: Any) -> list[Body]:
    return [part({"content": f"{word} "}, **more) for word in SAID.split(" ")]


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain"])
async def test_a_stream_that_nobody_asked_for_is_read(kind: str) -> None:
    thought = part({"role": "assistant", "reasoning_content": "Hm."})
    answer = events(thought, *words(), part({}, "stop"), {"choices": [], "usage": TOKENS})
    for options in ({}, {"response_format": SCHEMA}):
        said = await whole(b": ping\n\nevent: message\n" + answer, kind, **options)
        assert said.text.strip() == SAID
        assert said.response_metadata["finish_reason"] == "stop"
        assert said.additional_kwargs["reasoning_content"] == "Hm."
        assert read_usage(said) == Usage(9, 4)
    assert (await streamed(answer, kind)).text.strip() == SAID


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_a_whole_answer_where_a_stream_was_asked_for_is_read(
    kind: str, indent: int | None
) -> None:
    said = await streamed(json.dumps(body(GOOD), indent=indent).encode(), kind)
    assert (said.text, read_usage(said)) == (SAID, Usage(9, 4))


async def test_a_whole_answer_that_is_called_a_stream_is_read() -> None:
    answer = json.dumps(body(GOOD))
    assert (await whole(answer.encode(), "text/event-stream")).text == SAID
    assert (await streamed(answer.encode())).text == SAID
    assert (await streamed(events(answer))).text == SAID


async def test_an_answer_that_is_told_again_at_the_end_is_said_once() -> None:
    """As MiniMax does."""
    last = body(GOOD, object="chat.completion")
    answer = events(*words(), last)
    assert (await streamed(answer)).text.strip() == SAID
    assert (await whole(answer, "text/event-stream")).text.strip() == SAID


async def test_tokens_that_every_part_counts_are_counted_once() -> None:
    parts = [
        part({"content": word}, usage={**TOKENS, "completion_tokens": n, "total_tokens": 9 + n})
        for n, word in enumerate(SAID.split(" "), start=2)
    ]
    for said in (await streamed(events(*parts)), await whole(events(*parts), "text/event-stream")):
        assert read_usage(said) == Usage(9, 4)


@pytest.mark.parametrize(
    ("event", "failure"),
    [
        ({"error": {"message": "Add more", "code": 402}}, Failure.DENIED),
        ({"error": {"message": "Slow down", "code": 429}}, Failure.RATE_LIMITED),
        (
            {"base_resp": {"status_code": 1004, "status_msg": "login fail: no API secret key"}},
            Failure.DENIED,
        ),
    ],
)
async def test_an_error_in_a_stream_that_nobody_asked_for_counts_as_what_it_is(
    event: Body, failure: Failure
) -> None:
    named = b"event: error\n" + events(event)
    for answer in (events(event), named, events(part({"content": "How"}), event)):
        with pytest.raises(Exception) as failed:  # noqa: PT011  # of any class
            await whole(answer, "text/event-stream")
        assert read_failure(failed.value).failure is failure


async def test_an_error_where_a_stream_was_asked_for_counts_as_what_it_is() -> None:
    answer = json.dumps({"error": {"message": "No", "code": 403}}).encode()
    with pytest.raises(PermissionDeniedError):
        await streamed(answer, "application/json")


@pytest.mark.parametrize("answer", [b"", b"data: \n\n", b"data: [DONE]\n\n", b": ping\n\n"])
async def test_a_stream_that_says_nothing_is_a_wrong_shape(answer: bytes) -> None:
    with pytest.raises(Exception) as failed:  # noqa: PT011  # of any class
        await whole(answer, "text/event-stream")
    assert read_failure(failed.value).failure is Failure.WRONG_SHAPE


@pytest.mark.parametrize("choices", [[], None, "none", [None]], ids=str)
async def test_an_answer_with_no_choice_says_what_it_has_cost(choices: Any) -> None:
    for options in ({}, {"response_format": SCHEMA}):
        with pytest.raises(ModelFailedError) as failed:
            await whole(json.dumps(body(GOOD) | {"choices": choices}).encode(), **options)
        assert failed.value.failure is Failure.WRONG_SHAPE
        assert failed.value.usage == Usage(9, 4)


async def test_a_stream_of_many_choices_is_refused() -> None:
    async def many() -> AsyncIterator[bytes]:
        for place in range(30):
            yield events(part({}) | {"choices": [{"index": place, "delta": {"content": "x"}}]})

    with pytest.raises(Exception, match="too many parts"):
        await joined(many())


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_oversized_event_is_refused_whatever_it_is_called(kind: str) -> None:
    event = b'data: {"choices":[' + b"{}," * 2 * MOST_PARTS + b"{}]}\n\n"
    for read in (whole, streamed):
        with pytest.raises(Exception) as failed:  # noqa: PT011  # of any class
            await read(event, kind)
        assert read_failure(failed.value).failure is Failure.CONNECTION


# What is usual


def test_what_is_usual_stays_as_it_is() -> None:
    for usual in (body(GOOD), body(call(TEXT)), {"error": 5}, [], None, 7):
        assert as_completion(usual) == usual
    chunks = Chunks()
    for usual in (
        part({"role": "assistant", "content": ""}),
        part({"tool_calls": [{"index": 0, "function": {"arguments": '"{\\"a\\": 1}"'}}]}),
        part({}, "stop", usage=None),
        part({}, usage=TOKENS),
        {"type": "ping"},
    ):
        assert chunks.usual(usual) == usual


@pytest.mark.parametrize("text", ["", "I do not know.", '{"ranking": [2, 1', TEXT, f" {TEXT}\n"])
def test_arguments_that_are_one_object_or_no_json_stay_as_they_are(text: str) -> None:
    assert arguments_text(text) == text
