"""What the offline assistant understands and does, turn by turn, over the real tools."""

from collections.abc import Sequence
from typing import Any

import pytest
import re2llm
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from re2llm.interfaces.chat import build_graph
from re2llm.llm.offline import OfflineAssistant
from re2llm.llm.offline.said import Said
from re2llm.runtime.options import Context

THREAD: Any = {"configurable": {"thread_id": "1"}}


class Talk:
    """A conversation on one thread."""

    def __init__(self, films: str) -> None:
        self.graph: Any = build_graph().copy({"checkpointer": InMemorySaver()})
        self.context = Context(domain=films, policy="none")
        self.heard = 0
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.text = ""

    async def say(self, *said: str) -> str:
        for text in said:
            state = await self.graph.ainvoke(
                {"messages": [("user", text)]}, THREAD, context=self.context
            )
            messages: Sequence[BaseMessage] = state["messages"][self.heard :]
            self.heard += len(messages)
            self.calls = [
                (call["name"], call["args"])
                for message in messages
                if isinstance(message, AIMessage)
                for call in message.tool_calls
            ]
            self.text = messages[-1].text
        return self.text

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def talk(films: str) -> Talk:
    return Talk(films)


@pytest.mark.parametrize(
    ("said", "verdicts"),
    [
        ("I loved Alien, but Titanic left me cold.", {"Alien": 5, "Titanic": 2}),
        ("Alien was amazing but Titanic bored me", {"Alien": 5, "Titanic": 2}),
        ("I loved Alien! Titanic was boring.", {"Alien": 5, "Titanic": 2}),
        ("I liked Mr. & Mrs. Smith", {"Mr. & Mrs. Smith": 4, "Mr": 4, "Mrs. Smith": 4}),
        ("Thanks, that's all!", {}),
        ("I gave Heat 4 stars and hated Titanic", {"Heat": 4, "Titanic": 1}),
        ("I'd give Fargo 3/5", {"Fargo": 3}),
        ("I rated Fargo 9 out of 10", {"Fargo": 4.5}),
        ("I didn't like Heat", {"Heat": 2}),
        ("Heat was great", {"Heat": 5}),
        ("We saw Heat last night", {"Heat": None}),
        ("Something like Heat", {"Heat": None}),
        ("I watched Heat and loved it. What should I watch next?", {"Heat": 5}),
        ("I liked Nothing But Trouble", {"Nothing But Trouble": 4}),
        ("I loved Bad Boys", {"Bad Boys": 5}),
        ("I hated Great Expectations", {"Great Expectations": 1}),
        ("We saw The Worst Person in the World", {"The Worst Person in the World": None}),
        ('I disliked "Good Morning, Vietnam"', {"Good Morning, Vietnam": 2}),
        ("Bad Boys", {"Bad Boys": None}),
        ("My favourite film is Alien", {"Alien": 5}),
    ],
)
def test_verdicts(said: str, verdicts: dict[str, float | None]) -> None:
    found = {m.title: m.verdict and m.verdict.rating for m in Said(said).mentions}
    assert found == verdicts


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("How would I like Heat?", "Heat"),
        ("Would I enjoy Fargo?", "Fargo"),
        ("Should I watch Heat tonight?", "Heat"),
        ("Is Heat something for me?", "Heat"),
        ("I liked Alien. Would I like Aliens too?", "Aliens"),
        ('Will I like "Up"?', "Up"),
        ("What should I watch next?", None),
        ("Is there anything else?", None),
        ("I would like Heat", None),
        ("Should I watch it?", None),
    ],
)
def test_questions_for_a_rating(said: str, title: str | None) -> None:
    assert Said(said).rates == title


@pytest.mark.parametrize(
    ("said", "off"),
    [
        ("What's the weather like in Paris tomorrow?", True),
        ("What is the capital of France?", True),
        ("Write me a poem about Alien", True),
        ("How are you?", True),
        ("What should I watch next?", False),
        ("Can you recommend something like Heat?", False),
        ("Do you have Heat?", False),
        ("Which film is like Heat?", False),
        ("Alien", False),
    ],
)
def test_what_is_off_topic(said: str, off: bool) -> None:
    assert Said(said).off_topic is off


SHOWN = [
    {"id": "donnie", "title": "Donnie Darko", "about": "United States. 2001"},
    {"id": "odyssey", "title": "2001: A Space Odyssey", "about": "United Kingdom. 1968"},
    {"id": "third", "title": "The Third Man", "about": "United Kingdom. 1949"},
    {"id": "alien", "title": "Alien", "about": "United Kingdom. 1979"},
    {"id": "aliens", "title": "Aliens", "about": "United Kingdom. 1986"},
]


@pytest.mark.parametrize(
    ("said", "id_"),
    [
        ("I'll take the second one", "odyssey"),
        ("The third, because I like it", "third"),
        ("number 4", "alien"),
        ("I pick no. 5", "aliens"),
        ("I'll take the sixth", None),
        ("2", "odyssey"),
        ("9", None),
        ("The one from 2001", "donnie"),
        ("I'll watch 2001: A Space Odyssey", "odyssey"),
        ("I'll watch 2001 a space odyssey, it is from 1968", "odyssey"),
        ("I'll take the third man", "third"),
        ("Alien, the fifth one", "aliens"),
        ("I choose Aliens", "aliens"),
        ("donie darko", "donnie"),
        ("I'll watch First Blood", None),
        ("I'll take The Fifth Element", None),
    ],
)
def test_what_of_a_list_is_meant(said: str, id_: str | None) -> None:
    assert Said(said).chosen(SHOWN) == id_


@pytest.mark.parametrize(
    ("said", "none"),
    [
        ("None of these.", True),
        ("no, none", True),
        ("No.", True),
        ("I'll take nothing", True),
        ("I liked nothing there", True),
        ("No thanks, not today", True),
        ("I liked Nothing But Trouble", False),
        ('I saw "No One Lives"', False),
        ("I'll watch No Country for Old Men", False),
    ],
)
def test_what_takes_none(said: str, none: bool) -> None:
    assert Said(said).none is none


async def test_a_pick_that_was_not_listed_is_looked_up_by_its_title(talk: Talk) -> None:
    await talk.say("I liked Alien", "I'll watch The Fifth Element")
    [(name, arguments)] = talk.calls
    assert name == "feedback"
    assert arguments["picked"] == "The Fifth Element"


async def test_none_answers_the_question_and_not_the_list_before_it(talk: Talk) -> None:
    await talk.say("I loved Alien", "I also liked lord of the rings")
    assert "do not know which one" in await talk.say("None of these.")
    assert talk.calls == []


async def test_to_take_something_else_asks_for_more(talk: Talk) -> None:
    first = await talk.say("I liked Alien")
    more = await talk.say("I'll watch something else")
    assert talk.names == ["recommend"]
    assert more != first
    await talk.say("I'll take the second one again")
    assert talk.names == ["feedback"]


async def test_a_rating_is_predicted_from_what_was_said(talk: Talk) -> None:
    await talk.say("I loved Alien and The Thing, but hated Titanic")
    answer = await talk.say("How would I like Aliens?")
    assert talk.names == ["find_titles", "rate"]
    request = talk.calls[1][1]
    assert request["item"]["title"] == "Aliens"
    # Titanic has less in common with it.
    assert {review["title"]: review["rating"] for review in request["history"]} == {"Alien": 5}
    assert "I expect 5 of 5 from you for Aliens, going by what you think of Alien (5)." in answer
    assert "told me already" in await talk.say("And how would I like Titanic?")


async def test_a_rating_in_the_same_message_and_of_a_listed_item(talk: Talk) -> None:
    await talk.say("I hated Titanic. Would I like Heat?")
    assert talk.calls[-1][0] == "rate"
    await talk.say("I liked Alien", "Would I enjoy the second one?")
    assert talk.names == ["find_titles", "rate"]
    assert talk.calls[1][1]["item"]["title"] == talk.calls[0][1]["titles"][0]


async def test_a_rating_needs_ratings(talk: Talk) -> None:
    answer = await talk.say("How would I like Heat?")
    assert talk.names == ["find_titles"]
    assert "how you liked something else" in answer


async def test_an_ambiguous_title_may_be_asked_about(talk: Talk) -> None:
    await talk.say("I loved Alien", "How would I like lord of the rings?")
    assert "Which “lord of the rings” do you mean?" in talk.text
    await talk.say("the second one")
    assert talk.names == ["rate"]


async def test_two_ambiguous_titles_are_asked_about_in_turn(talk: Talk) -> None:
    await talk.say("I liked Alien, lord of the rings and harry potter")
    assert "“lord of the rings”" in talk.text
    await talk.say("the two towers")
    assert "“harry potter”" in talk.text
    await talk.say("The Chamber of Secrets")
    assert talk.calls[-1][1]["history"] == [
        "alien-1979",
        "the-lord-of-the-rings-the-two-towers-2002",
        "harry-potter-and-the-chamber-of-secrets-2002",
    ]


async def test_what_was_not_liked_is_neither_gone_by_nor_recommended(talk: Talk) -> None:
    await talk.say("I liked Blade Runner but hated Prometheus")
    assert talk.calls[-1][1]["history"] == ["blade-runner-1982"]
    assert "Prometheus" not in talk.text
    assert "Noted: not Titanic." in await talk.say("I didn't like Titanic")


async def test_what_the_catalogue_lacks_is_said_beside_the_rest(talk: Talk) -> None:
    answer = await talk.say("I enjoyed Spirited Away and Paddington")
    assert answer.startswith("I do not find “Paddington” here.\nBecause you enjoyed Spirited Away")


async def test_more_after_none_of_these(talk: Talk) -> None:
    first = await talk.say("I liked Alien")
    await talk.say("None of these.")
    more = await talk.say("Anything else?")
    assert talk.names == ["recommend"]
    assert not {line[3:] for line in first.splitlines()[1:6]} & {
        line[3:] for line in more.splitlines()[1:6]
    }


async def test_off_topic_and_looking_up(talk: Talk) -> None:
    assert "That is beyond me" in await talk.say("What's the weather like in Paris tomorrow?")
    assert talk.calls == []
    assert (await talk.say("Do you have Heat?")).startswith("Yes: Heat (")
    assert "has no “Paddington”" in await talk.say("Do you have the film Paddington?")


async def test_it_calls_no_tool_that_it_was_not_given(films: str, url: str) -> None:
    async with re2llm.Re2llm(url.replace("+psycopg", ""), domain=films, policy="none") as host:
        tools = [re2llm.titles_tool(host), re2llm.recommender_tool(host)]
        agent: Any = create_agent(OfflineAssistant(), tools)
        said = [("user", "I loved Alien. How would I like Heat?")]
        messages = (await agent.ainvoke({"messages": said}))["messages"]
    assert "I have no tool here" in messages[-1].text
