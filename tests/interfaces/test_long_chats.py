"""A conversation that is longer than the model can read goes on with its last turns: over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_server import Body, FaultServer, error
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import SecretStr
from re2llm.interfaces.chat import graph
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

ANSWER = "How about Heat?"
MOST = 6
"""Messages that the model of these tests takes."""
TOO_LONG: dict[str, tuple[int, Any]] = {
    "code": (400, error("Your messages have 9120 tokens.", "context_length_exceeded")),
    "words": (400, error("This model's maximum context length is 4096 tokens.")),
    "anthropic": (400, error("prompt is too long: 208310 tokens > 200000 maximum")),
    "gemini": (
        400,
        [{"error": {"message": "The input token count (99) exceeds the maximum number (9)."}}],
    ),
    "llama.cpp": (500, error("the request exceeds the available context size")),
    "proxy": (413, b"<html>Request Entity Too Large</html>"),
    "behind 200": (200, {"error": {"message": "Input is too long for this model", "code": 400}}),
    "rate": (429, error("Request too large for m on tokens per min: Limit 6000, Requested 8000")),
    "event": (
        200,
        b'data: {"error": {"message": "This exceeds the context window", "code": 400}}\n\n',
    ),
    "event without a number": (
        200,
        b'data: {"error": {"message": "maximum context length is 4096 tokens"}}\n\n',
    ),
}  # fmt: skip
Say = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(speak=lambda _: ANSWER).running() as running:
        yield running


@pytest.fixture
def model() -> str:
    return f"openai:long-chat-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def say(
    server: FaultServer,
    services: Services,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    films: str,
    model: str,
) -> Say:
    adjust(base_url=server.url, api_key=SecretStr("sk-none"), retry_pause=0.01)
    monkeypatch.setattr(services.models, "_limits", None)

    async def answered(messages: list[AnyMessage]) -> AIMessage:
        context = Context(domain=films, model=model)
        asked: Any = {"messages": messages}
        modes: Any = ["messages", "values"]  # with the first, the model's words are streamed
        states = [
            state
            async for mode, state in graph.astream(asked, context=context, stream_mode=modes)
            if mode == "values"
        ]
        said = states[-1]["messages"]
        assert said[: len(messages)] == messages
        return said[-1]

    return answered


def thread(turns: int) -> list[AnyMessage]:
    """Return a thread, each turn of which has called a tool."""
    messages: list[AnyMessage] = []
    for number in range(turns):
        call: Any = {"name": "find_titles", "args": {"titles": ["Heat"]}, "id": str(number)}
        messages += [
            HumanMessage(f"I liked film {number}.", id=f"h{number}"),
            AIMessage("", tool_calls=[call], id=f"c{number}"),
            ToolMessage('{"titles": []}', tool_call_id=str(number), id=f"t{number}"),
            AIMessage("Noted. " * 30, id=f"a{number}"),
        ]
    return [*messages, HumanMessage("What is next?", id="last")]


def too_many(body: Body) -> bool:
    return len(body["messages"]) > MOST


def flags(message: AIMessage) -> list[str]:
    return message.response_metadata.get("flags", [])


@pytest.mark.parametrize("answer", TOO_LONG.values(), ids=TOO_LONG)
async def test_a_chat_that_is_too_long_goes_on_with_its_last_turns(
    server: FaultServer, say: Say, answer: tuple[int, Any]
) -> None:
    server.refuse = lambda body: answer if too_many(body) else None
    for calls in (2, 1):  # the second time, the length is known
        server.asked.clear()
        said = await say(thread(6))
        assert (said.text.strip(), flags(said)) == (ANSWER, ["prompt_shortened"])
        assert len(server.asked) == calls
    (sent,) = server.asked
    roles = [message["role"] for message in sent.body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert "left out" in sent.body["messages"][0]["content"]
    assert sent.body["messages"][1]["content"] == "I liked film 5."
    assert sent.body["messages"][-1]["content"] == "What is next?"
    short = await say(thread(1))
    assert (short.text.strip(), flags(short)) == (ANSWER, [])
    assert "left out" not in server.asked[-1].body["messages"][0]["content"]


async def test_a_shortened_chat_still_calls_tools(server: FaultServer, say: Say) -> None:
    server.refuse = lambda body: TOO_LONG["code"] if too_many(body) else None
    said = await say([*thread(6)[:-1], HumanMessage('"Alien"', id="last")])
    assert flags(said) == ["prompt_shortened"]
    assert all(len(asked.body["tools"]) == 4 for asked in server.asked)


async def test_a_chat_that_stays_too_long_is_asked_twice_and_booked(
    server: FaultServer, say: Say, services: Services, model: str
) -> None:
    server.refuse = lambda _: TOO_LONG["code"]
    assert ANSWER not in (await say(thread(6))).text
    assert len(server.asked) == 2
    server.asked.clear()
    assert ANSWER not in (await say(thread(6))).text
    assert len(server.asked) == 1
    async with services.engine.connect() as connection:
        sql = text("SELECT purpose, outcome FROM re2llm.llm_call WHERE model = :model")
        booked = (await connection.execute(sql, {"model": model})).all()
    assert booked == [("chat", "too_long")] * 3


async def test_what_was_said_last_is_never_cut(server: FaultServer, say: Say) -> None:
    server.refuse = lambda _: TOO_LONG["words"]
    said = await say([HumanMessage("I liked Heat. " * 500, id="last")])
    assert len(server.asked) == 1
    assert said.text.startswith("(The language model does not answer.)")


async def test_another_refusal_shortens_nothing(server: FaultServer, say: Say) -> None:
    server.refuse = lambda _: (400, error("That request makes no sense"))
    await say(thread(6))
    assert len(server.asked) == 1


async def test_a_ranking_is_not_shortened_for_what_a_chat_has_met(
    server: FaultServer, say: Say, services: Services, model: str
) -> None:
    """The tools of a chat take room as well, so its length says little about a ranking's."""
    server.refuse = lambda body: TOO_LONG["code"] if too_many(body) else None
    await say(thread(6))
    assert (await services.models.endpoint(model)).too_long is None
