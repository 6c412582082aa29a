"""Tool calls in the chat, as servers send them, and as they must see them again later."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import Body, FaultServer, completion, error
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr
from re2llm.interfaces.chat import graph
from re2llm.llm.prices import prompt_tokens
from re2llm.runtime import chat_call
from re2llm.runtime.booking import Booking
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services

ANSWER = "How about Heat?"
THOUGHTS = "They name a film, so I look it up."
SIGNATURE = {"google": {"thought_signature": "c2lnbmVk"}}
CALL = {"name": "find_titles", "arguments": json.dumps({"titles": ["Heat"]})}
Talk = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(speak=lambda _: ANSWER).running() as running:
        yield running


@pytest.fixture
def talk(
    server: FaultServer,
    services: Services,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    films: str,
) -> Talk:
    """Say something on one thread, after a history; return its messages."""
    adjust(base_url=server.url, api_key=SecretStr("sk-none"), model_retries=0)
    monkeypatch.setattr(services.models, "_limits", None)
    context = Context(domain=films, model=f"openai:again-{uuid.uuid4().hex[:8]}")
    chat = graph.copy({"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "1"}}

    async def say(*history: Any, streams: bool = True) -> list[Any]:
        said: Any = {"messages": [*history, HumanMessage("Heat?")]}
        if streams:
            async for _ in chat.astream(said, thread, context=context, stream_mode="messages"):
                pass
        else:
            await chat.ainvoke(said, thread, context=context)
        return (await chat.aget_state(thread)).values["messages"]

    return say


def calling(body: Body, **beside: Any) -> tuple[int, Any] | None:
    """Call a tool on what a person says, in parts where that is asked for."""
    if body["messages"][-1]["role"] != "user":
        return None
    message = {"role": "assistant", "content": "", **beside}
    if not body.get("stream"):
        return 200, completion(message, "tool_calls")
    calls = [{**call, "index": at} for at, call in enumerate(message["tool_calls"])]
    parts: list[Body] = [{**message, "tool_calls": calls}]
    if thoughts := message.get("reasoning_content"):
        half = len(thoughts) // 2
        parts = [
            {"role": "assistant", "reasoning_content": thoughts[:half]},
            {**parts[0], "reasoning_content": thoughts[half:]},
        ]
    choices = [{"index": 0, "delta": part, "finish_reason": None} for part in parts]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    events = [
        {**completion({}), "object": "chat.completion.chunk", "choices": [choice], "usage": None}
        for choice in choices
    ]
    return 200, "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def with_calls(body: Body) -> list[Body]:
    return [message for message in body["messages"] if message.get("tool_calls")]


def called(**beside: Any) -> list[Body]:
    return [{"id": "call_1", "type": "function", "function": CALL, **beside}]


MISSING = [
    "Missing `reasoning_content` field in the assistant message at message index 2.",
    "thinking is enabled but reasoning_content is missing in assistant tool call message",
]


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("said", MISSING)
async def test_the_thoughts_before_a_call_are_sent_again_where_they_must_be(
    server: FaultServer, talk: Talk, said: str, streams: bool
) -> None:
    def refuse(body: Body) -> tuple[int, Any] | None:
        if any(one.get("reasoning_content") != THOUGHTS for one in with_calls(body)):
            return 400, error(said)
        return calling(body, tool_calls=called(), reasoning_content=THOUGHTS)

    server.refuse = refuse
    for asked in (3, 2):  # it is refused once
        server.asked.clear()
        messages = await talk(streams=streams)
        assert messages[-1].text.strip() == ANSWER
        assert len(server.asked) == asked
    assert THOUGHTS not in "".join(message.text for message in messages)


WRITTEN = [
    "{'titles': ['Heat']}",
    '```json\n{"titles": ["Heat"]}\n```',
    '{"titles": ["Heat"],}',
    '{"titles": ["Heat"]}\n\n</function>',
    json.dumps(json.dumps({"titles": ["Heat"]})),
]


@pytest.mark.parametrize("whole", ["", "answers", "server"])
@pytest.mark.parametrize("written", WRITTEN)
async def test_arguments_with_slips_are_read(
    server: FaultServer, talk: Talk, written: str, whole: str
) -> None:
    function = {**CALL, "arguments": written}

    def refuse(body: Body) -> tuple[int, Any] | None:
        if whole == "server" and body.get("stream"):
            return 400, error("Streaming is not supported")
        return calling(body, tool_calls=called(function=function))

    server.refuse = refuse
    messages = await talk(streams=whole != "answers")
    (call,) = messages[1].tool_calls
    assert call["args"] == {"titles": ["Heat"]}
    assert messages[-1].text.strip() == ANSWER


UNSURE = [
    '{"titles":["Heat"]}{"titles":["Alien"]}',
    '{"titles": ["Heat"]} and then {"titles": ["Alien"]}',
    'I will not call {"titles": ["Heat"]}',
    '{"titles": ["Heat"',
]


@pytest.mark.parametrize("written", UNSURE)
async def test_no_call_is_made_of_a_part_of_its_arguments(
    server: FaultServer, talk: Talk, written: str
) -> None:
    function = {**CALL, "arguments": written}
    server.refuse = lambda body: calling(body, tool_calls=called(function=function))
    messages = await talk(streams=False)
    assert not any(call["args"] for one in messages for call in getattr(one, "tool_calls", []))


UNREAD = [
    '<function=find_titles>{"titles": ["Heat"]}</function>',
    '{"name": "find_titles", "arguments": {"titles": ["Heat"]}}',
]


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("written", UNREAD)
async def test_a_call_that_its_server_could_not_read_is_made(
    server: FaultServer, talk: Talk, written: str, streams: bool
) -> None:
    failed = error("Failed to call a function.", "tool_use_failed")
    failed["error"]["failed_generation"] = written
    server.refuse = lambda body: (400, failed) if body["messages"][-1]["role"] == "user" else None
    messages = await talk(streams=streams)
    assert messages[1].tool_calls[0]["args"] == {"titles": ["Heat"]}
    assert messages[-1].text.strip() == ANSWER
    assert len(server.asked) == 2


async def test_thoughts_are_not_sent_where_nobody_asks_for_them(
    server: FaultServer, talk: Talk
) -> None:
    server.refuse = lambda body: calling(
        body, tool_calls=called(), reasoning_content=THOUGHTS, reasoning=THOUGHTS
    )
    await talk()
    assert (await talk())[-1].text.strip() == ANSWER
    assert with_calls(server.asked[-1].body)
    assert all(THOUGHTS not in asked.text for asked in server.asked)
    assert not any("reasoning_content" in one for one in with_calls(server.asked[-1].body))


@pytest.mark.parametrize("streams", [True, False])
async def test_a_signature_is_sent_again_with_its_call(
    server: FaultServer, talk: Talk, streams: bool
) -> None:
    def refuse(body: Body) -> tuple[int, Any] | None:
        if strict_about_signatures(body):
            return 400, error("Function call is missing a thought_signature")
        return calling(body, tool_calls=called(extra_content=SIGNATURE))

    server.refuse = refuse
    for turn in (1, 2):
        assert (await talk(streams=streams))[-1].text.strip() == ANSWER
        sent = with_calls(server.asked[-1].body)
        assert [one["tool_calls"][0]["extra_content"] for one in sent] == [SIGNATURE] * turn


@pytest.mark.parametrize("sends", [False, True])
async def test_thoughts_count_only_where_they_are_sent(
    server: FaultServer, talk: Talk, monkeypatch: pytest.MonkeyPatch, sends: bool
) -> None:
    thoughts = "Hm, x. " * 10_000
    counted: list[int] = []

    class Counting(Booking):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            counted.append(prompt_tokens(self._messages))

    def refuse(body: Body) -> tuple[int, Any] | None:
        if sends and strict_about_thoughts(body):
            return 400, error(MISSING[0])
        return calling(body, tool_calls=called(), reasoning_content=thoughts)

    monkeypatch.setattr(chat_call, "Booking", Counting)
    server.refuse = refuse
    await talk()
    messages = await talk()
    kept = [message.additional_kwargs.get("reasoning_content", "") for message in messages]
    assert max(map(len, kept)) == 20_000
    assert thoughts.endswith(max(kept, key=len))
    assert (counted[-1] > 2 * 20_000 / 4) == sends
    assert (counted[-1] < 5_000) == (not sends)
    lengths = [len(json.dumps(with_calls(asked.body))) for asked in server.asked]
    assert (lengths[-1] > 2 * 20_000) == sends


def in_parts(body: Body, *deltas: Body) -> tuple[int, Any] | None:
    if body["messages"][-1]["role"] != "user":
        return None
    around = {**completion({}), "object": "chat.completion.chunk", "usage": None}
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    events = [{**around, "choices": [choice]} for choice in choices]
    return 200, "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


@pytest.mark.parametrize("first", [SIGNATURE, [1], 0.5, True, {"google": True}, {"x": True}])
@pytest.mark.parametrize("streams", [True, False])
async def test_a_signature_that_comes_in_several_parts_counts_once(
    server: FaultServer, talk: Talk, first: Any, streams: bool
) -> None:
    (call,) = called(extra_content=first, index=0)
    more = {"index": 0, "extra_content": SIGNATURE, "function": {"arguments": ""}}
    last = {"index": 0, "extra_content": [first], "function": {"arguments": ""}}

    def refuse(body: Body) -> tuple[int, Any] | None:
        if strict_about_signatures(body):
            return 400, error("Function call is missing a thought_signature")
        deltas = [{"tool_calls": [one]} for one in (call, more, last, more)]
        return in_parts(body, {"role": "assistant", "content": ""}, *deltas)

    server.refuse = refuse
    assert (await talk(streams=streams))[-1].text.strip() == ANSWER
    (sent,) = with_calls(server.asked[-1].body)
    assert sent["tool_calls"][0]["extra_content"] == SIGNATURE


@pytest.mark.parametrize("odd", [{"text": "b"}, ["b"], 0.5, True])
@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_thoughts_of_several_kinds_do_not_hide_the_answer(
    server: FaultServer, talk: Talk, name: str, odd: Any
) -> None:
    said = [{"role": "assistant", name: odd}, {name: "a"}, {name: odd}, {"content": ANSWER}]
    server.refuse = lambda body: in_parts(body, *said)
    assert (await talk())[-1].text.strip() == ANSWER
    assert len(server.asked) == 1


async def test_a_call_that_its_server_could_not_read_is_made_amid_a_stream(
    server: FaultServer, talk: Talk
) -> None:
    failed = error("Failed to call a function.", "tool_use_failed")
    failed["error"] |= {"failed_generation": UNREAD[0], "status_code": 400}
    event = f"event: error\ndata: {json.dumps(failed)}\n\n".encode()

    def refuse(body: Body) -> tuple[int, Any] | None:
        begun = in_parts(body, {"role": "assistant", "content": ""}, {"reasoning": "Hm."})
        return (200, begun[1] + event) if begun else None

    server.refuse = refuse
    messages = await talk()
    assert messages[1].tool_calls[0]["args"] == {"titles": ["Heat"]}
    assert messages[-1].text.strip() == ANSWER
    assert len(server.asked) == 2


def unknown_fields(body: Body) -> tuple[int, Any] | None:
    calls = [call for one in with_calls(body) for call in one["tool_calls"]]
    if not any("extra_content" in call for call in calls):
        return None
    return 400, error("Unknown parameter: 'messages[1].tool_calls[0].extra_content'.")


@pytest.mark.parametrize("extra", [SIGNATURE, {"x": 1}, "x", ["<|im_end|>"]])
async def test_no_history_makes_a_server_refuse_tools(
    server: FaultServer, talk: Talk, extra: Any
) -> None:
    call = {"name": "find_titles", "args": {"titles": ["Heat"]}, "id": "z"}
    fields = {"extra_content": {"0": extra}, "reasoning_content": [THOUGHTS]}
    asked = AIMessage("", tool_calls=[call], additional_kwargs=fields)
    server.refuse = unknown_fields
    messages = await talk(HumanMessage("Hi"), asked, ToolMessage("{}", tool_call_id="z"))
    assert messages[-1].text.strip() == ANSWER
    assert (await talk())[-1].text.strip() == ANSWER
    assert all(asked.body.get("tools") for asked in server.asked)
    assert len(server.asked) == 2


def strict_about_null(body: Body) -> bool:
    return any(one.get("content") is None for one in with_calls(body))


def strict_about_thoughts(body: Body) -> bool:
    return not all(one.get("reasoning_content") for one in with_calls(body))


def strict_about_signatures(body: Body) -> bool:
    calls = [call for one in with_calls(body) for call in one["tool_calls"]]
    return not all(call.get("extra_content") for call in calls)


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        (strict_about_null, "messages.2.content: Input should be a valid string, got null"),
        (strict_about_thoughts, MISSING[0]),
        (strict_about_signatures, "Function call is missing a thought_signature"),
    ],
)
async def test_a_call_of_another_model_does_not_end_the_thread(
    server: FaultServer, talk: Talk, lacks: Callable[[Body], bool], said: str
) -> None:
    call = {"name": "find_titles", "args": {"titles": ["Heat"]}, "id": "z"}
    answer = ToolMessage("{}", tool_call_id="z")
    history = [HumanMessage("Hi"), AIMessage("", tool_calls=[call]), answer]
    server.refuse = lambda body: (400, error(said)) if lacks(body) else None
    assert (await talk(*history))[-1].text.strip() == ANSWER
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "said",
    ["Your organization must be verified to stream this model.", "Streaming is not supported"],
)
async def test_a_server_that_does_not_stream_is_asked_for_whole_answers(
    server: FaultServer, talk: Talk, said: str
) -> None:
    server.refuse = lambda body: (400, error(said)) if body.get("stream") else None
    for asked in (2, 1):
        server.asked.clear()
        assert (await talk())[-1].text.strip() == ANSWER
        assert len(server.asked) == asked
