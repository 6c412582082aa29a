"""The `chat` graph over a real chat model whose server fails: repeated, bounded, and booked."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from fault_server import FaultServer
from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import SecretStr
from re2llm.interfaces.chat import graph
from re2llm.interfaces.chat_turns import ENDLESS, MOST_ANSWERS, MOST_TOOL_CALLS
from re2llm.runtime.allowance import ANSWER_TOKENS
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

ANSWER = "How about Heat?"
RETRIES, PATIENCE, DEADLINE, SLACK = 2, 1.0, 10.0, 10.0
"""Seconds: of a call whose server hangs, of a turn, and what a busy machine may add."""
STAND_IN = "(The language model does not answer.)"
WITHOUT_TOOLS = "(The language model supports no tools here"

Say = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(speak=lambda _: ANSWER).running() as running:
        yield running


@pytest.fixture
def model() -> str:
    """A name that no other test books its calls under."""
    return f"openai:chat-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def say(
    server: FaultServer,
    services: Services,
    adjust: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    films: str,
    model: str,
) -> Say:
    """Talk through ChatOpenAI and the fault server; return what is heard, and the end."""
    adjust(
        base_url=server.url,
        api_key=SecretStr("sk-secret-1234567890"),
        request_timeout=DEADLINE,
        deadline=DEADLINE,
        model_retries=RETRIES,
        retry_pause=0.01,
    )
    monkeypatch.setattr(services.models, "_limits", None)

    async def hello(
        messages: Sequence[Any] = (("user", "Hello!"),), **options: Any
    ) -> tuple[str, str]:
        context = Context(domain=films, model=model, **options)
        heard, last = "", ""
        async for mode, part in graph.astream(
            {"messages": list(messages)},
            context=context,
            stream_mode=["messages", "values"],
        ):
            if mode == "messages" and isinstance(part[0], AIMessageChunk):
                heard += part[0].text
            elif mode == "values":
                last = part["messages"][-1].text
        return heard.strip(), last.strip()

    return hello


async def booked(services: Services, model: str) -> list[Any]:
    async with services.engine.connect() as connection:
        sql = text(
            "SELECT purpose, outcome, requests, tokens_out FROM re2llm.llm_call "
            "WHERE model = :model ORDER BY id"
        )
        return [tuple(row) for row in await connection.execute(sql, {"model": model})]


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", ["429", "429 for a second", "500", "503", "hang", "reset", "no choices", "no JSON"]
)
async def test_a_fault_that_passes_is_not_noticed(
    server: FaultServer,
    say: Say,
    services: Services,
    adjust: Callable[..., None],
    model: str,
    fault: str,
) -> None:
    if fault == "hang":
        adjust(request_timeout=PATIENCE)
    server.play(fault)
    heard, last = await say()
    assert heard == last == ANSWER
    assert len(server.asked) == 2
    assert all(asked.body["stream"] and len(asked.body["tools"]) == 4 for asked in server.asked)
    if fault == "429 for a second":
        assert server.asked[1].at - server.asked[0].at >= 1.0
    ((purpose, outcome, requests, tokens),) = await booked(services, model)
    assert (purpose, outcome, requests) == ("chat", "ok", 2)
    assert tokens > 0


async def test_a_model_with_a_temperature_of_its_own_is_left_to_it(
    server: FaultServer, say: Say, services: Services, model: str
) -> None:
    server.unsupported = {"temperature"}
    told = await asyncio.gather(say(), say(), say())
    assert set(told) == {(ANSWER, ANSWER)}
    before = len(server.asked)
    assert await say() == (ANSWER, ANSWER)
    assert ["temperature" in asked.body for asked in server.asked[before:]] == [False]
    assert {outcome for _, outcome, *_ in await booked(services, model)} == {"ok"}


@pytest.mark.parametrize("managed", [False, True])
async def test_a_hosts_own_callbacks_hear_the_chat(
    say: Say, services: Services, model: str, managed: bool
) -> None:
    class Listens(BaseCallbackHandler):
        words = ""

        def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **_: Any) -> None:
            self.words += str(token)

    listens = Listens()
    endpoint = await services.models.endpoint(model)
    endpoint.model.callbacks = BaseCallbackManager([listens]) if managed else [listens]
    await say()
    assert listens.words.strip() == ANSWER


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "calls", "outcome"),
    [
        ("500", 1 + RETRIES, "server_error"),
        ("429", 1 + RETRIES, "rate_limited"),
        ("429 for an hour", 1, "rate_limited"),
        ("hang", 1 + RETRIES, "timeout"),
        ("quota", 1, "denied"),
        ("400", 1, "rejected"),
        ("401", 1, "denied"),
        ("403", 1, "denied"),
    ],
)
async def test_a_fault_that_stays_ends_in_the_stand_in(
    server: FaultServer,
    say: Say,
    services: Services,
    adjust: Callable[..., None],
    model: str,
    fault: str,
    calls: int,
    outcome: str,
) -> None:
    if fault == "hang":
        adjust(request_timeout=PATIENCE)
    server.play(*[fault] * 10)
    started = time.monotonic()
    heard, last = await say()
    assert time.monotonic() - started < DEADLINE + SLACK
    assert heard == last
    assert last.startswith(STAND_IN)
    assert "sk-secret" not in last
    assert len(server.asked) == calls
    # Of an answer that was not waited for, some tokens are presumed.
    written = calls * ANSWER_TOKENS if fault == "hang" else 0
    assert await booked(services, model) == [("chat", outcome, calls, written)]


async def test_answers_without_a_word_are_paid_for(
    server: FaultServer, say: Say, services: Services, model: str
) -> None:
    server.play(*["wordless stream"] * 10)
    _, last = await say()
    assert last.startswith(STAND_IN)
    async with services.engine.connect() as connection:
        query = text("SELECT requests, tokens_in FROM re2llm.llm_call WHERE model = :model")
        (made,) = await connection.execute(query, {"model": model})
    assert made.requests == len(server.asked) == 1 + RETRIES
    assert made.tokens_in > 100 * made.requests


async def test_what_was_heard_is_not_said_again(server: FaultServer, say: Say) -> None:
    await say()  # the first answer shows that the model keeps its thoughts to itself
    server.asked.clear()
    server.play("cut stream")
    heard, last = await say()
    assert len(server.asked) == 1
    assert heard.startswith("I was about")
    assert heard.count("about") == 1
    assert last.startswith(STAND_IN)


async def test_a_first_answer_that_breaks_off_is_asked_for_again(
    server: FaultServer, say: Say
) -> None:
    server.play("cut stream")
    assert await say() == (ANSWER, ANSWER)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "thought",
    [
        "<think> They wave. </think> ",
        "They wave. </think>\n",
        "[THINK] They wave. [/THINK] ",
        "<|channel|>analysis<|message|>They wave.<|end|><|channel|>final<|message|>",
    ],
)
async def test_no_thought_reaches_a_person(server: FaultServer, say: Say, thought: str) -> None:
    server.speak = lambda _: f"{thought}{ANSWER}"
    for _ in range(2):
        assert await say() == (ANSWER, ANSWER)
    server.speak = lambda _: ANSWER
    assert await say() == (ANSWER, ANSWER)


async def test_a_thought_in_the_middle_of_a_stream_is_not_heard(
    server: FaultServer, say: Say
) -> None:
    await say()
    server.speak = lambda _: "How about <think> They wave. </think>Heat?"
    assert await say() == (ANSWER, ANSWER)


async def test_thoughts_alone_are_no_answer(server: FaultServer, say: Say) -> None:
    server.speak = lambda _: "<think> They wave, and"
    heard, last = await say()
    assert heard == last
    assert last.startswith(STAND_IN)
    assert len(server.asked) == 1 + RETRIES


@pytest.mark.long
@pytest.mark.parametrize("fault", ["no tools", "no tools here", "no such field", "no parser"])
async def test_a_model_without_tools_is_stood_in_for_and_not_asked_again(
    server: FaultServer, say: Say, fault: str
) -> None:
    server.play(*[fault] * 10)
    for _ in range(2):
        heard, last = await say()
        assert heard == last
        assert last.startswith(WITHOUT_TOOLS)
    assert len(server.asked) == 1
    _, last = await say([("user", '"Alien"')])
    assert last.startswith(WITHOUT_TOOLS)
    assert "\n1. " in last
    # A ranking may still be asked for as the call of one function.
    assert all(len(asked.body.get("tools", ())) < 2 for asked in server.asked[1:])


@pytest.mark.parametrize("fault", ["400", "too long"])
async def test_another_refusal_says_nothing_about_tools(
    server: FaultServer, say: Say, fault: str
) -> None:
    server.play(fault)
    assert (await say())[1].startswith(STAND_IN)
    assert await say() == (ANSWER, ANSWER)


async def test_a_call_that_was_never_answered_does_not_end_the_thread(
    server: FaultServer, say: Say
) -> None:
    call = {"name": "recommend", "args": {"history": ["Heat"]}, "id": "z"}
    history = [HumanMessage("Hi"), AIMessage("", tool_calls=[call]), HumanMessage("Still there?")]
    orphan = ToolMessage("{}", tool_call_id="y")
    assert await say([orphan, *history]) == (ANSWER, ANSWER)
    sent = server.asked[0].body["messages"][1:]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "user"]
    assert sent[2]["tool_call_id"] == "z"


async def test_a_dead_model_is_left_alone(
    server: FaultServer, say: Say, adjust: Callable[..., None]
) -> None:
    adjust(breaker_failures=4)
    server.play(*["500"] * 20)
    for _ in range(4):
        _, last = await say()
        assert last.startswith(STAND_IN)
    assert len(server.asked) == 4


async def test_a_budget_is_kept(server: FaultServer, say: Say) -> None:
    server.play("500")
    _, last = await say(budget=Budget(max_llm_calls=1))
    assert len(server.asked) == 1
    assert last
    assert ANSWER not in last


class Tireless(BaseChatModel):
    """A chat model that answers everything with calls of `find_titles`."""

    calls: int = 1
    pause: float = 0.0
    asked: list[int] = []  # noqa: RUF012  # pydantic copies it

    @property
    def _llm_type(self) -> str:
        return "tireless"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        self.asked.append(len(messages))
        time.sleep(self.pause)
        turn = len(self.asked)
        calls = [
            {"name": "find_titles", "args": {"titles": ["Heat"]}, "id": f"{turn}-{place}"}
            for place in range(self.calls)
        ]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=calls))])


async def test_a_model_that_only_calls_tools_is_stopped(
    say: Say, services: Services, films: str
) -> None:
    model = Tireless()
    services.models.register("tireless", model)
    context = Context(domain=films, model="tireless")
    chat = graph.copy({"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "1"}}
    for turn in (1, 2):  # the next message of the person may cost as much again
        said: Any = {"messages": [("user", "A film?")]}
        end = await chat.ainvoke(said, thread, context=context)
        assert end["messages"][-1].text.startswith(ENDLESS)
        assert len(model.asked) == turn * MOST_ANSWERS
    assert "begun" not in end


async def test_one_answer_makes_no_more_tool_calls_than_a_turn_may(
    say: Say, services: Services, films: str
) -> None:
    services.models.register("tireless", Tireless(calls=8))
    end = await graph.ainvoke(
        {"messages": [HumanMessage("A film?")]}, context=Context(domain=films, model="tireless")
    )
    answers = [message for message in end["messages"] if isinstance(message, ToolMessage)]
    assert len(answers) == 8 * MOST_ANSWERS
    done = [message for message in answers if message.status == "success"]
    assert done == answers[:MOST_TOOL_CALLS]


RESEARCH = [{"name": "web_search", "args": {"q": "films"}, "id": f"w{n}"} for n in range(20)]
FOUND = [ToolMessage("Heat", tool_call_id=call["id"], name="web_search") for call in RESEARCH]
SPOKEN: dict[str, list[BaseMessage]] = {
    "answers": [AIMessage(f"Let me see, {n}.") for n in range(MOST_ANSWERS)],
    "calls": [AIMessage("", tool_calls=RESEARCH), *FOUND],
    "calls with our ids": [
        AIMessage("", tool_calls=[{**call, "id": "1-0"} for call in RESEARCH]),
        ToolMessage("Heat", tool_call_id="1-0", name="web_search"),
    ],
}


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("kind", SPOKEN)
async def test_what_other_agents_said_and_called_counts_against_no_limit(
    say: Say, services: Services, films: str, kind: str, alone: bool
) -> None:
    model = Tireless(calls=3)
    services.models.register("tireless", model)
    said = [HumanMessage("A film?"), *SPOKEN[kind]]
    outer: Any = graph
    if not alone:
        builder: Any = StateGraph(MessagesState, context_schema=Context)
        builder.add_node("research", lambda _: {"messages": SPOKEN[kind]})
        builder.add_node("chat", graph)
        builder.add_edge(START, "research")
        builder.add_edge("research", "chat")
        builder.add_edge("chat", END)
        outer, said = builder.compile(checkpointer=InMemorySaver()), said[:1]
    thread: Any = {"configurable": {"thread_id": "1"}}
    context = Context(domain=films, model="tireless")
    for turn in (1, 2):  # the second time without a word of the person
        end = await outer.ainvoke({"messages": said}, thread, context=context)
        assert len(model.asked) == turn * MOST_ANSWERS
        answers = [one for one in end["messages"] if getattr(one, "name", "") == "find_titles"]
        done = [one for one in answers if one.status == "success"]
        assert len(done) == (1 if alone else turn) * MOST_TOOL_CALLS
        said = said if alone else []
    assert "found" not in end


async def test_a_turn_ends_when_its_time_is_over(
    say: Say, services: Services, films: str, adjust: Callable[..., None]
) -> None:
    adjust(deadline=0.7)
    model = Tireless(pause=0.3)
    services.models.register("tireless", model)
    started = time.monotonic()
    end = await graph.ainvoke(
        {"messages": [HumanMessage("A film?")]}, context=Context(domain=films, model="tireless")
    )
    assert time.monotonic() - started < SLACK
    assert 1 <= len(model.asked) <= 3
    assert end["messages"][-1].text.startswith("(The language model")


class Calling(BaseChatModel):
    """A chat model that calls one tool, in its own way, and then answers."""

    name_of_tool: str = "find_titles"
    id_of_call: Any = None

    @property
    def _llm_type(self) -> str:
        return "calling"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        message = AIMessage(ANSWER)
        if not isinstance(messages[-1], ToolMessage):
            call = {"name": self.name_of_tool, "args": {"titles": ["Heat"]}, "id": None}
            message = AIMessage("", tool_calls=[call])
            message.tool_calls[0]["id"] = self.id_of_call
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("name", "id_"),
    [
        *(("find_titles", id_) for id_ in (None, "", 0, 7, "call_1")),
        *((f"{before}.find_titles", "1") for before in ("functions", "default_api")),
        ("find_titles<|channel|>commentary", "1"),
    ],
)
async def test_a_call_is_made_whatever_its_id_and_its_names_ornaments(
    say: Say, services: Services, films: str, name: str, id_: Any, streams: bool
) -> None:
    services.models.register("calling", Calling(name_of_tool=name, id_of_call=id_))
    context = Context(domain=films, model="calling")
    chat = graph.copy({"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "1"}}
    for turn in (1, 2):
        said: Any = {"messages": [("user", "Heat?")]}
        if streams:
            async for _ in chat.astream(said, thread, context=context, stream_mode="messages"):
                pass
        else:
            await chat.ainvoke(said, thread, context=context)
        messages = (await chat.aget_state(thread)).values["messages"]
        answers = [one for one in messages if isinstance(one, ToolMessage)]
        assert [one.status for one in answers] == ["success"] * turn
        assert all(isinstance(one.tool_call_id, str) and one.tool_call_id for one in answers)
        assert messages[-1].text == ANSWER


@pytest.mark.parametrize(
    "written",
    [
        '<tool_call>{"name": "find_titles", "arguments": {"titles": ["Heat"]}}</tool_call>',
        '[TOOL_CALLS][{"name": "find_titles", "arguments": {"titles": ["Heat"]}}]',
        '<function=find_titles>{"titles": ["Heat"]}</function>',
        '{"name": "find_titles", "parameters": {"titles": ["Heat"]}}<|eom_id|>',
    ],
)
async def test_a_call_written_as_text_is_made_and_not_heard(
    server: FaultServer, say: Say, written: str
) -> None:
    def speak(body: dict[str, Any]) -> str:
        return f"{ANSWER}<|im_end|>" if body["messages"][-1]["role"] == "tool" else written

    server.speak = speak
    for _ in range(2):  # the second one is streamed word by word
        server.asked.clear()
        assert await say() == (ANSWER, ANSWER)
        assert len(server.asked) == 2
        *_, called, answered = server.asked[1].body["messages"]
        assert called["tool_calls"][0]["function"]["name"] == "find_titles"
        assert answered["tool_call_id"] == called["tool_calls"][0]["id"]
        assert '"Heat"' in answered["content"]


async def test_a_call_written_as_text_that_cannot_be_read_is_asked_for_again(
    server: FaultServer, say: Say
) -> None:
    server.play("says <tool_call>{broken")
    assert await say() == (ANSWER, ANSWER)
    assert len(server.asked) == 2
