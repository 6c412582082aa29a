"""The `chat` graph: in process, on threads, with a model of one's own, and through the server."""

import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread as SystemThread
from typing import Any, ClassVar

import pytest
import re2llm
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from prompts import document_of, read_document
from pydantic import SecretStr
from re2llm.interfaces.chat import graph
from re2llm.runtime.context import Context
from server_logs import troubles


def test_the_exported_graph_brings_no_checkpointer() -> None:
    assert graph.checkpointer is None
    assert graph.store is None


async def test_it_streams_word_by_word(films: str) -> None:
    context = Context(domain=films, policy="none")
    words: list[str] = []
    async for message, metadata in graph.astream(
        {"messages": [("user", '"Alien"')]}, context=context, stream_mode="messages"
    ):
        if isinstance(message, AIMessageChunk) and message.text:
            assert metadata["langgraph_node"] == "model"  # no ranking leaks into the chat
            words.append(message.text)
    assert len(words) > 20
    assert "".join(words).startswith("1. ")


class Chatty(BaseChatModel):
    """A model that ranks when it is shown candidates, and else calls `recommend` once."""

    fails: bool = False

    @property
    def _llm_type(self) -> str:
        return "chatty"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self.bind(names=[tool.name for tool in tools])

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if "names" not in kwargs:
            count = len(document_of(messages)["candidates"])
            message = AIMessage(json.dumps({"ranking": list(range(1, count + 1))}))
        elif self.fails:
            raise ConnectionError("down")
        elif isinstance(messages[-1], ToolMessage):
            title = json.loads(messages[-1].text)["items"][0]["title"]
            message = AIMessage(f"Try {title}, because you asked so kindly.")
        else:
            assert messages[0].type == "system"
            assert set(kwargs["names"]) == {"find_titles", "recommend", "feedback", "rate"}
            call = {"name": "recommend", "args": {"history": ["Alien"], "k": 2}, "id": "1"}
            message = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


async def test_a_model_of_ones_own_chats_and_ranks(films: str, url: str) -> None:
    dsn = url.replace("+psycopg", "")
    async with re2llm.Re2llm(dsn, model=Chatty(), domain=films, policy="none") as host:
        chat = re2llm.build_chat_graph(host)
        result: Any = await chat.ainvoke({"messages": [("user", "A film, please?")]})
    made = next(m for m in result["messages"] if isinstance(m, ToolMessage)).artifact
    assert made["model"] == "Chatty"
    assert result["messages"][-1].text == (
        f"Try {made['items'][0]['title']}, because you asked so kindly."
    )


async def test_a_model_that_is_down_is_stood_in_for(films: str, url: str) -> None:
    dsn = url.replace("+psycopg", "")
    model = Chatty(fails=True)
    async with re2llm.Re2llm(dsn, model=model, domain=films, policy="none") as host:
        chat = re2llm.build_chat_graph(host)
        result: Any = await chat.ainvoke({"messages": [("user", '"Alien"')]})
    assert "does not answer" in result["messages"][-1].text
    assert "\n1. " in result["messages"][-1].text


async def test_a_model_that_cannot_be_made_is_told(films: str) -> None:
    context = Context(domain=films, model="no-such-provider:x")
    result: Any = await graph.ainvoke({"messages": [("user", "Hi")]}, context=context)
    said = result["messages"][-1].text
    assert said.startswith("model: The model 'no-such-provider:x' cannot be created")
    assert "RE2LLM_API_KEY" in said


def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "peer"}
    return f"data: {json.dumps({**body, 'choices': [choice]})}\n\n"


class Peer(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that ranks, calls `recommend` once, and answers in words."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(request)
        if "tools" not in request:
            document = read_document(request["messages"][-1]["content"])
            numbers = [candidate["number"] for candidate in document["candidates"]]
            message = {"role": "assistant", "content": json.dumps({"ranking": numbers})}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = {"id": "1", "object": "chat.completion", "created": 0, "model": "peer"}
            self.answer(json.dumps({**body, "choices": [choice]}), "application/json")
        elif request["messages"][-1]["role"] == "tool":
            words = ["How ", "about ", "this ", "one?"]
            chunks = [chunk({"role": "assistant", "content": word}) for word in words]
            self.answer("".join([*chunks, chunk({}, "stop"), "data: [DONE]\n\n"]))
        else:
            arguments = json.dumps({"history": ["Alien"], "k": 2})
            function = {"name": "recommend", "arguments": arguments}
            call = {"index": 0, "id": "c1", "type": "function", "function": function}
            calls = chunk({"role": "assistant", "tool_calls": [call]})
            self.answer("".join([calls, chunk({}, "tool_calls"), "data: [DONE]\n\n"]))

    def answer(self, body: str, kind: str = "text/event-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def peer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    Peer.asked.clear()
    thread = SystemThread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.long
async def test_a_model_over_http_streams_its_own_words_and_no_ranking(
    films: str, url: str, peer: str
) -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="peer", base_url=peer, api_key=SecretStr("none"), max_retries=0)
    words: list[str] = []
    dsn = url.replace("+psycopg", "")
    async with re2llm.Re2llm(dsn, model=model, domain=films, policy="none") as host:
        chat = re2llm.build_chat_graph(host)
        async for message, _ in chat.astream(
            {"messages": [("user", "A film, please?")]}, stream_mode="messages"
        ):
            if isinstance(message, AIMessageChunk) and message.text:
                words.append(message.text)
    assert words == ["How ", "about ", "this ", "one?"]
    kinds = ["tools" in request for request in Peer.asked]
    assert kinds == [True, False, True]
    assert {tool["function"]["name"] for tool in Peer.asked[0]["tools"]} == {
        "find_titles",
        "recommend",
        "feedback",
        "rate",
    }


@pytest.fixture
def client(server: str) -> Any:
    from langgraph_sdk import get_client

    return get_client(url=server)


@pytest.mark.long
async def test_through_the_server_on_a_thread(client: Any, films: str, server_log: Any) -> None:
    thread = await client.threads.create()
    context = {"domain": films, "policy": "none"}
    texts: list[str] = []
    for said in ('"Alien"', "1"):
        words: list[str] = []
        async for part in client.runs.stream(
            thread["thread_id"],
            "chat",
            input={"messages": [{"role": "user", "content": said}]},
            context=context,
            stream_mode="messages-tuple",
        ):
            assert part.event != "error", part.data
            if part.event == "messages" and part.data[0]["type"] == "AIMessageChunk":
                words.append(part.data[0]["content"])
        texts.append("".join(words))
        assert len(words) > 1
    first = texts[0].splitlines()[0].removeprefix("1. ").split(" (")[0]
    assert texts[1] == f"Noted: {first}."
    assert troubles(server_log, "BlockingError") == ""
