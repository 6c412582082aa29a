"""The `chat` graph without a model: titles in a fixed form, picks by number, and nothing else."""

from collections.abc import Sequence
from typing import Any

import pytest
import re2llm
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from re2llm.interfaces.chat import build_graph
from re2llm.llm.offline import OfflineAssistant
from re2llm.llm.offline.chat import HELP
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text


class Thread:
    """One conversation with the graph."""

    def __init__(self, films: str) -> None:
        self.graph: Any = build_graph().copy({"checkpointer": InMemorySaver()})
        self.context = Context(domain=films, policy="none")
        self.config = {"configurable": {"thread_id": "1"}}

    async def say(self, said: Any) -> "Answer":
        before = len((await self.graph.aget_state(self.config)).values.get("messages", []))
        result = await self.graph.ainvoke(
            {"messages": [{"role": "user", "content": said}]}, self.config, context=self.context
        )
        return Answer(result["messages"][before + 1 :])


class Answer:
    """What came back in one turn."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self.text = messages[-1].text
        self.calls = [
            (call["name"], call["args"])
            for message in messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        ]
        self.results = {m.name: m for m in messages if isinstance(m, ToolMessage)}

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def thread(films: str) -> Thread:
    return Thread(films)


@pytest.mark.parametrize(
    "said",
    [
        "Hello!",
        "who are you?",
        "thanks, bye",
        "something lighter",
        "What's the weather like in Paris?",
        "Alien",
        "I liked Alien",
        "1, 2",
        *("2", "none", "", "  ", ", , ,", '""', '"  "'),
    ],
)
async def test_what_it_does_not_understand_it_takes_for_nothing(thread: Thread, said: str) -> None:
    answer = await thread.say(said)
    assert answer.text == HELP
    assert "RE2LLM_MODEL" in answer.text
    assert set(answer.names) <= {"find_titles"}


@pytest.mark.parametrize(
    ("said", "history"),
    [
        ('I really loved "Blade Runer" and “alein”', ["blade-runner-1982", "alien-1979"]),
        ("«Heat»", ["heat-1995"]),
        ("Alien, Heat", ["alien-1979", "heat-1995"]),
        ("- Alien\n- Heat\n", ["alien-1979", "heat-1995"]),
        ("1. Alien\n2. Heat", ["alien-1979", "heat-1995"]),
        ([{"type": "text", "text": '"Alien"'}], ["alien-1979"]),
    ],
)
async def test_titles_are_recommended_for(thread: Thread, said: Any, history: list[str]) -> None:
    answer = await thread.say(said)
    assert answer.names[-1] == "recommend"
    made = answer.results["recommend"].artifact
    assert made["history"] == history
    lines = answer.text.splitlines()
    assert [line.split(" (")[0] for line in lines[:5]] == [
        f"{item['rank']}. {item['title']}" for item in made["items"]
    ]
    assert any("(like " in line for line in lines)
    assert "number" in lines[-1]


@pytest.mark.parametrize("said", ["2", "#2", "(2)", " 2. "])
async def test_a_number_is_a_pick(services: Services, thread: Thread, said: str) -> None:
    listed = await thread.say('"Alien"')
    picked = await thread.say(said)
    second = listed.results["recommend"].artifact["items"][1]
    assert picked.text == f"Noted: {second['title']}."
    stored = picked.results["feedback"].artifact
    assert stored["picked"] == second["id"]
    async with services.engine.connect() as connection:
        sql = text("SELECT count(*) FROM re2llm.feedback")
        assert await connection.scalar(sql)


async def test_only_the_latest_list_counts(thread: Thread) -> None:
    await thread.say('"Alien"')
    latest = await thread.say('"Heat"')
    [(name, arguments)] = (await thread.say("1")).calls
    assert name == "feedback"
    made = latest.results["recommend"].artifact
    assert arguments["recommendation_id"] == made["recommendation_id"]


async def test_none_of_these_is_stored_as_feedback(thread: Thread) -> None:
    await thread.say('"Alien"')
    answer = await thread.say("None of these.")
    assert answer.calls[0][1]["picked"] is None
    assert answer.text == "Noted: none of these."


@pytest.mark.parametrize("said", ["0", "9", "1917"])
async def test_a_number_beyond_the_list_is_no_pick(thread: Thread, said: str) -> None:
    await thread.say('"Alien"')
    answer = await thread.say(said)
    assert answer.calls == []
    assert answer.text == "My list has the numbers 1 to 5."


async def test_a_second_pick_is_refused_in_the_tools_words(thread: Thread) -> None:
    await thread.say('"Alien"')
    await thread.say("1")
    answer = await thread.say("2")
    assert answer.names == ["feedback"]
    assert answer.text == answer.results["feedback"].text
    assert answer.results["feedback"].status == "error"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('"lord of the rings"', "The Two Towers"),
        ('"Paddington"', "no item 'Paddington'"),
        ("Alien, Paddington", "no item 'Paddington'"),
    ],
)
async def test_an_unclear_title_is_shown_in_the_tools_words(
    thread: Thread, said: str, shown: str
) -> None:
    answer = await thread.say(said)
    assert answer.names[-1] == "recommend"
    assert answer.text == answer.results["recommend"].text
    assert shown in answer.text


async def test_an_image_is_not_understood(thread: Thread) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert (await thread.say([image])).text == HELP


async def test_it_calls_no_tool_that_it_was_not_given(films: str, url: str) -> None:
    async with re2llm.Re2llm(url.replace("+psycopg", ""), domain=films, policy="none") as host:
        agent: Any = create_agent(OfflineAssistant(), [re2llm.titles_tool(host)])
        messages = (await agent.ainvoke({"messages": [("user", '"Alien"')]}))["messages"]
    assert "I have no tool here" in messages[-1].text
