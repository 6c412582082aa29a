"""What a person has liked reaches the prediction of a rating."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import re2llm
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from re2llm.interfaces import tools
from re2llm.interfaces.chat_reviews import reviews_so_far

HEAT = {"title": "Heat"}


class Rates(BaseChatModel):
    """Makes one tool call for each message of a person, and predicts a rating without a history."""

    seen: list[Any]
    history: list[Any]

    @property
    def _llm_type(self) -> str:
        return "rates"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        self.seen.extend(convert_to_openai_tool(tool)["function"] for tool in tools)
        return self.bind(chats=True)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if "chats" not in kwargs:
            message = AIMessage("no JSON")
        elif isinstance(messages[-1], ToolMessage):
            message = AIMessage("So be it.")
        else:
            self.seen.append(messages[0].text)
            message = AIMessage("", tool_calls=[self._call(messages)])
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _call(self, messages: list[BaseMessage]) -> Any:
        if "like Heat" in messages[-1].text:
            name, arguments = "rate", {"item": HEAT, "history": self.history}
        elif "second" in messages[-1].text:
            made = json.loads(next(m.text for m in reversed(messages) if m.type == "tool"))
            name = "feedback"
            arguments = {
                "recommendation_id": made["recommendation_id"],
                "picked": made["items"][1]["id"],
            }
        else:
            name, arguments = "recommend", {"history": ["Alien", "heat-1995"], "k": 3}
        return {"name": name, "args": arguments, "id": f"call-{len(messages)}"}


async def talk(films: str, url: str, monkeypatch: Any, model: Rates) -> tuple[Any, list[Any]]:
    requests: list[Any] = []
    rate = tools.rate

    async def noted(context: Any, request: Any) -> Any:
        requests.append(request)
        return await rate(context, request)

    monkeypatch.setattr(tools, "rate", noted)
    thread: Any = {"configurable": {"thread_id": "1"}}
    dsn = url.replace("+psycopg", "")
    async with re2llm.Re2llm(dsn, model=model, domain=films, policy="none") as host:
        chat: Any = re2llm.build_chat_graph(host).copy({"checkpointer": InMemorySaver()})
        state: Any = None
        for said in ("I liked Alien and Heat", "the second", "Would I like Heat?"):
            state = await chat.ainvoke({"messages": [("user", said)]}, thread)
    return state["messages"], requests


async def test_what_was_liked_earlier_is_passed_on(
    films: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, (request,) = await talk(films, url, monkeypatch, Rates(seen=[], history=[]))
    made = next(m for m in messages if m.type == "tool").artifact
    assert request["history"] == [
        {"title": "Alien", "rating": 4.0},
        {"title": made["items"][1]["title"], "rating": 4.0},
    ]


async def test_what_the_model_passes_on_itself_stays(
    films: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [{"title": "Titanic", "rating": 1.0}]
    _, (request,) = await talk(films, url, monkeypatch, Rates(seen=[], history=own))
    assert request["history"] == own


async def test_the_model_is_asked_to_pass_on_likes_and_dislikes(
    films: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Rates(seen=[], history=[])
    await talk(films, url, monkeypatch, model)
    prompt = next(seen for seen in model.seen if isinstance(seen, str))
    assert "everything that they have said they liked or disliked" in " ".join(prompt.split())
    rate = next(t for t in model.seen if not isinstance(t, str) and t["name"] == "rate")
    assert "liked or disliked" in rate["description"]
    history = rate["parameters"]["properties"]["history"]
    assert "liked and disliked" in history["description"]
    assert "history" not in rate["parameters"]["required"]


@pytest.mark.parametrize(
    "artifact",
    [None, "x", {}, {"items": 1}, {"history": 1, "items": [{}]}, {"titles": [{"items": [1]}]}],
)
def test_an_odd_thread_brings_no_review(artifact: Any) -> None:
    call: Any = {"name": "recommend", "args": {}, "id": "1", "type": "tool_call"}
    answer = ToolMessage("", tool_call_id="1", artifact=artifact)
    thread = [AIMessage("", tool_calls=[call]), answer]
    assert reviews_so_far(thread, {"item": HEAT}) == []
    assert reviews_so_far(thread, {"item": None, "lowest": None}) == []


def test_the_scale_is_kept() -> None:
    call: Any = {"name": "recommend", "args": {"history": ["Up"]}, "id": "1", "type": "tool_call"}
    artifact = {"history": ["up-2009"], "items": []}
    thread = [
        AIMessage("", tool_calls=[call]),
        ToolMessage("", tool_call_id="1", artifact=artifact),
    ]
    assert reviews_so_far(thread, {"item": HEAT, "lowest": 0, "highest": 10}) == [
        {"title": "Up", "rating": 7.5}
    ]


def test_a_scale_beyond_all_numbers_is_left_to_the_tool() -> None:
    call = {"name": "recommend", "args": {"history": ["Alien"]}, "id": "1"}
    artifact = {"history": ["alien-1979"], "history_titles": ["Alien"], "items": []}
    messages = [
        AIMessage("", tool_calls=[call]),
        ToolMessage("", tool_call_id="1", artifact=artifact),
    ]
    for bounds in ({"lowest": 10**400}, {"highest": 10**400}, {"lowest": "a"}):
        assert reviews_so_far(messages, {"item": HEAT, **bounds}) == []
