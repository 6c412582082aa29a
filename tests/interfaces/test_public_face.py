"""`import re2llm` in other programs: the object, the tools, and our graph inside foreign ones."""

import asyncio
import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import re2llm
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Command, interrupt
from prompts import document_of
from re2llm.data.sample import load_films
from re2llm.errors import InputError
from re2llm.interfaces.async_client import AsyncClient
from re2llm.interfaces.plain_arguments import CHECKS
from re2llm.records import Item
from re2llm.runtime.services import Services
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from typing_extensions import TypedDict

IDS = [film.id for film in load_films()]
RANKED = IDS[40:46]


class Reversing(BaseChatModel):
    """A host's own model: ranks the candidates from the last to the first."""

    calls: list[str]

    @property
    def _llm_type(self) -> str:
        return "reversing"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        numbers = [c["number"] for c in document_of(messages)["candidates"]]
        self.calls.append(messages[-1].text)
        answer = json.dumps({"ranking": numbers[::-1]})
        return ChatResult(generations=[ChatGeneration(message=AIMessage(answer))])


class Agent(BaseChatModel):
    """A chat model that makes the test's tool calls, one a turn, and then says done."""

    calls: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "agent"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        turn = sum(isinstance(message, ToolMessage) for message in messages)
        message = AIMessage("done")
        if turn < len(self.calls):
            call = self.calls[turn]
            known = json.loads(messages[-1].text) if turn else {}
            arguments = {k: known[v] if v == k else v for k, v in call["args"].items()}
            name = call["name"]
            message = AIMessage(
                "", tool_calls=[{"name": name, "args": arguments, "id": f"call-{turn}"}]
            )
        return ChatResult(generations=[ChatGeneration(message=message)])


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, re2llm; dir(re2llm);"
        "print([m for m in ('torch', 'langgraph', 'langchain_core', 'sqlalchemy') "
        "if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_commands_load_nothing_heavy_before_they_run() -> None:
    code = (
        "import sys, re2llm.cli;"
        "print([m for m in ('torch', 'langgraph', 'langchain_core', 'sqlalchemy') "
        "if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.long
def test_a_command_that_embeds_nothing_loads_no_model(films: str) -> None:
    """Loading it takes longer than all the rest of such a command."""
    code = (
        "import sys; from re2llm.cli import app;"
        f"app(['hints', 'list', '--domain', {films!r}], standalone_mode=False);"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_every_public_name_exists() -> None:
    assert set(re2llm.__all__) <= set(dir(re2llm))
    for name in re2llm.__all__:
        assert getattr(re2llm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        re2llm.nothing  # noqa: B018


async def test_an_object_with_a_dsn_and_an_own_model(films: str, url: str) -> None:
    model = Reversing(calls=[])
    dsn = url.replace("+psycopg", "")
    async with re2llm.Re2llm(
        dsn, model=model, model_name="mine", domain=films, policy="none"
    ) as host:
        made = await host.arecommend(IDS[:2], candidates=RANKED, k=3)
        assert made.model == "mine"
        assert len(model.calls) == 1
        again = await host.arecommend(["Alien"], candidates=RANKED)
        assert len(model.calls) == 2
        assert sorted(again.ranking) == sorted(RANKED)
        kept = await host.afeedback(made.recommendation_id or "", made.items[1].title)
        assert kept.rank == 2
        assert (await host.ahints()).domain == films
    with pytest.raises(re2llm.Re2llmError, match="closed"):
        await host.arecommend(IDS[:2])


async def test_an_object_whose_database_never_answered_closes_quietly() -> None:
    host = re2llm.Re2llm("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(re2llm.Re2llmError, match="No answer"):
        await host.arecommend(IDS[:2])
    await host.aclose()


async def test_a_hosts_engine_is_used_and_left_open(films: str, url: str) -> None:
    engine = create_async_engine(url, pool_size=2, max_overflow=0)
    seen: list[int] = []
    from sqlalchemy import event

    event.listen(engine.sync_engine, "checkout", lambda *_: seen.append(1))
    async with re2llm.Re2llm(engine, domain=films, policy="none") as host:
        await host.arecommend(IDS[:2], candidates=RANKED)
        assert seen
        used = len(seen)
        # The own thread may not touch the engine: its connections belong to this loop.
        made = await asyncio.to_thread(host.recommend, IDS[:2], candidates=RANKED)
        assert len(made.ranking) == len(RANKED)
        assert len(seen) == used
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_an_engine_of_another_driver_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_async_engine(url)
    monkeypatch.setattr(engine.dialect, "driver", "asyncpg")
    with pytest.raises(re2llm.Re2llmError, match="asyncpg"):
        async with re2llm.Re2llm(engine):
            pass


def test_synchronous_use_from_many_threads(films: str, url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with re2llm.Re2llm(url.replace("+psycopg", ""), domain=films, policy="none") as host:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: host.recommend(IDS[:2], candidates=RANKED), range(8)))
        assert len({tuple(answer.ranking) for answer in answers}) == 1
        with pytest.raises(re2llm.Re2llmError, match="no-such-film"):
            host.recommend(["no-such-film"])
        kept = host.feedback(answers[0].recommendation_id or "", None)
        assert kept.new


def test_every_verb_without_an_event_loop(
    films: str, domain: str, url: str, tmp_path: Path
) -> None:
    items = tmp_path / "items.jsonl"
    teas = ("Sencha", "Gyokuro", "Darjeeling")
    items.write_text("\n".join(json.dumps({"id": tea[0], "title": tea}) for tea in teas))
    told: list[str] = []
    with re2llm.Re2llm(url.replace("+psycopg", ""), domain=domain, policy="none") as host:
        loaded = host.load("jsonl", items, progress=lambda stage, *_: told.append(stage))
        assert (loaded.domain, loaded.items) == (domain, 3)
        assert told
        assert host.find_titles(["gyokoro"]).titles[0].items[0].id == "G"
        assert set(host.recommend(["sencha"]).ranking) == {"D", "G"}
        assert host.hints().hints == []
        assert host.releases().releases == []
        assert host.hints(domain=films).domain == films


def test_waiting_on_its_own_thread_is_refused(films: str, url: str) -> None:
    async def waits() -> None:
        host.recommend(IDS[:2])

    with (
        re2llm.Re2llm(url.replace("+psycopg", ""), domain=films) as host,
        pytest.raises(RuntimeError, match="event loop thread"),
    ):
        host.run(waits)


def test_synchronous_verbs_take_what_the_others_take() -> None:
    asynchronous = [name for name in dir(re2llm.Re2llm) if hasattr(re2llm.Re2llm, f"a{name}")]
    assert {"recommend", "feedback", "rate", "find_titles", "load", "hints"} <= set(asynchronous)
    for name in asynchronous:
        if name != "close":
            one, other = getattr(re2llm.Re2llm, name), getattr(re2llm.Re2llm, f"a{name}")
            assert inspect.signature(one) == inspect.signature(other), name


def test_items_may_be_named_by_numbers_and_by_any_iterable(
    load: Callable[..., Any], domain: str, url: str
) -> None:
    asyncio.run(load(domain, [Item(str(n), f"Tea {n}") for n in range(1, 13)]))
    with re2llm.Re2llm(url.replace("+psycopg", ""), domain=domain, policy="none") as host:
        whole: Any = host.recommend
        made = whole([1, 3], candidates=(str(n) for n in (2, 4)))
        assert made.history == ["1", "3"]
        assert set(made.ranking) == {"2", "4"}
        assert whole(np.array([1, 3]), candidates=[2, 4]).ranking == made.ranking
        assert whole("12").history == ["12"]
        assert whole(one for one in ["1", "2"]).history == ["1", "2"]
        shows: Any = host.show_item
        assert shows(2).title == "Tea 2"
        withdraws: Any = host.withdraw_items
        assert withdraws([5, "Tea 6"]).withdrawn == 2
        stores: Any = host.feedback
        assert stores(made.recommendation_id, 4).picked == "4"
        finds: Any = host.find_titles
        assert finds("Tea 3").titles[0].items[0].id == "3"


MISFITS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "no history": ("recommend", (None,), {}),
    "a flag in a history": ("recommend", ([True],), {}),
    "nothing in a history": ("recommend", ([None],), {}),
    "a mapping": ("recommend", ({"1": 2},), {}),
    "bytes": ("recommend", (b"12",), {}),
    "a fraction": ("recommend", ([1.5],), {}),
    "candidates": ("recommend", (["1"],), {"candidates": 1.5}),
    "k": ("recommend", (["1"],), {"k": "3"}),
    "user": ("recommend", (["1"],), {"user": ["u"]}),
    "domain": ("hints", (), {"domain": 5}),
    "item": ("show_item", ({},), {}),
    "a mapping of items": ("withdraw_items", ({},), {}),
    "recommendation": ("feedback", (5, "1"), {}),
    "query": ("search_items", (5,), {}),
    "count": ("search_items", ("tea",), {"count": -1}),
    "titles": ("find_titles", ([{}],), {}),
    "text of a hint": ("add_hint", (5,), {}),
    "one hint for several": ("retire_hints", (1,), {}),
    "texts for hints": ("approve_hints", (["1"],), {}),
    "a hint as text": ("show_hint", ("1",), {}),
    "a huge hint": ("show_hint", (2**40,), {}),
    "a release as text": ("activate_release", ("1",), {}),
    "a rating": ("rate", ("Alien",), {}),
    "fields of a rating": ("rate", ({"item": 5},), {}),
    "a path": ("load", ("jsonl", 5), {}),
    "sessions": ("learn", (), {"sessions": [5]}),
    "sessions to evaluate": ("evaluate", ([5],), {}),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_told_by_its_name(films: str, name: str) -> None:
    method, given, more = MISFITS[name]
    host = re2llm.Re2llm(domain=films)
    with pytest.raises(InputError) as caught:
        getattr(host, method)(*given, **more)
    assert "No answer" not in str(caught.value)
    assert caught.value.field in {*inspect.signature(getattr(host, method)).parameters, "item"}


def test_every_argument_of_every_method_is_checked() -> None:
    unchecked = {
        parameter.annotation
        for _, method in inspect.getmembers(AsyncClient, inspect.iscoroutinefunction)
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.annotation not in CHECKS and name != "self"
    }
    # What is checked further in, and what is called back.
    assert unchecked == {
        "Any",
        "FuseMode | None",
        "PolicyRecipe",
        "Progress",
        "TableOptions | None",
    }


def test_closing_ends_what_other_threads_wait_for(films: str, url: str) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    host = re2llm.Re2llm(url.replace("+psycopg", ""), domain=films)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(host.run, endless)
        assert begun.wait(60)
        host.close()
        assert ended.is_set()
        with pytest.raises(re2llm.Re2llmError, match="closed"):
            waiting.result(60)
    with pytest.raises(re2llm.Re2llmError, match="closed"):
        host.recommend(["Alien"])


@pytest.mark.long
def test_a_forgotten_object_does_not_keep_its_program_alive(films: str) -> None:
    code = (
        "import re2llm; tool = re2llm.recommender_tool();"
        f"print(tool.invoke({{'history': {IDS[:2]!r}, 'candidates': {RANKED!r}}}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(found.stdout)["items"]


async def test_the_tool_explains_itself(films: str) -> None:
    tool = re2llm.recommender_tool(domain=films)
    schema = tool.tool_call_schema.model_json_schema()
    assert set(schema["properties"]) == {"history", "candidates", "k"}
    assert schema["required"] == ["history"]
    assert all(entry.get("description") for entry in schema["properties"].values())
    assert "Recommend" in tool.description
    call = {"name": "recommend", "args": {"history": ["alein"], "k": 2}, "id": "1"}
    message: ToolMessage = await tool.ainvoke({**call, "type": "tool_call"})
    assert message.artifact["ranking"]
    assert "ranking" not in json.loads(message.text)
    assert [item["rank"] for item in json.loads(message.text)["items"]] == [1, 2]


async def test_an_agents_mistake_comes_back_as_something_it_can_fix(films: str) -> None:
    tool = re2llm.recommender_tool(domain=films)
    call = {"name": "recommend", "args": {"history": ["lord of the rings"]}, "id": "1"}
    message: ToolMessage = await tool.ainvoke({**call, "type": "tool_call"})
    assert message.status == "error"
    assert "could be" in message.text
    assert "the-lord-of-the-rings" in message.text


@pytest.mark.parametrize(
    ("make", "arguments", "told"),
    [
        (re2llm.recommender_tool, {"history": []}, "history: It must have at least 1 item."),
        (re2llm.recommender_tool, {"history": {"a": 1}}, "history: "),
        (re2llm.recommender_tool, {"history": IDS[:1], "k": 0}, "k: "),
        (re2llm.recommender_tool, {"history": IDS[:1], "count": 3}, "from history, candidates, k."),
        (re2llm.recommender_tool, {}, "history: It is missing."),
        (re2llm.titles_tool, {"titles": ["Alien"], "<|im_end|>": "x"}, "< |im_end|>: is not known"),
        (re2llm.feedback_tool, {"recommendation_id": "x"}, "picked: It is missing."),
        (re2llm.feedback_tool, {"recommendation_id": "x", "item": "Aliens"}, "item: is not known"),
        (re2llm.rating_tool, {"item": "Aliens"}, "item: "),
        (re2llm.rating_tool, {"item": {"title": "Aliens", "year": 1986}}, "item.year: is not"),
        (re2llm.rating_tool, {"item": {"title": "Aliens"}, "reviews": [1]}, "reviews: is not"),
    ],
)
@pytest.mark.parametrize("synchronous", [True, False])
async def test_arguments_that_do_not_fit_raise_nothing(
    films: str, make: Any, arguments: dict[str, Any], told: str, synchronous: bool
) -> None:
    tool = make()
    call: Any = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
    message = tool.invoke(call) if synchronous else await tool.ainvoke(call)
    assert message.status == "error"
    assert told in message.text
    assert "pydantic" not in message.text


REVIEWS: list[Any] = [{"title": "Heat", "rating": 4}, {"title": "Fargo", "rating": 5}]


async def test_the_rating_tool(films: str) -> None:
    tool = re2llm.rating_tool()
    arguments = {"item": {"title": "Ronin"}, "history": REVIEWS}
    call = {"name": "rate", "args": arguments, "id": "1", "type": "tool_call"}
    message: ToolMessage = await tool.ainvoke(call)
    assert 4 <= message.artifact["rating"] <= 5
    assert json.loads(message.text)["reasoning"]["match"]
    request = re2llm.RatingRequest(**arguments)
    rated = await asyncio.to_thread(re2llm.Re2llm(domain=films).rate, request)
    assert rated.rating == message.artifact["rating"]
    host = re2llm.Re2llm(domain=films)
    for wrong, key in (({"hist": REVIEWS}, "hist"), ({"item_reviews": [{"stars": 2}]}, "rating")):
        with pytest.raises(InputError, match=key):
            await asyncio.to_thread(host.rate, cast("Any", {"item": {"title": "Ronin"}, **wrong}))
    bad = {**call, "args": {"item": {"title": "Ronin"}, "history": [{**REVIEWS[0], "rating": 9}]}}
    refused: ToolMessage = await tool.ainvoke(bad)
    assert refused.status == "error"
    assert "not between 1 and 5" in refused.text


CALLS = [
    {"name": "find_titles", "args": {"titles": ["blade runer"]}},
    {"name": "recommend", "args": {"history": ["Blade Runner"], "candidates": RANKED, "k": 3}},
    {"name": "feedback", "args": {"recommendation_id": "recommendation_id", "picked": None}},
]


@pytest.mark.parametrize("synchronous", [True, False])
async def test_a_langchain_agent_uses_all_tools(
    services: Services, films: str, synchronous: bool
) -> None:
    tools = [
        re2llm.titles_tool(domain=films),
        re2llm.recommender_tool(domain=films),
        re2llm.feedback_tool(domain=films),
    ]
    agent = create_agent(Agent(calls=CALLS), tools, checkpointer=InMemorySaver())
    request: Any = {"messages": [HumanMessage("Something like Blade Runner?")]}
    config: Any = {"configurable": {"thread_id": "1"}}
    if synchronous:
        result = await asyncio.to_thread(agent.invoke, request, config)
    else:
        result = await agent.ainvoke(request, config)
    answers = [m for m in result["messages"] if isinstance(m, ToolMessage)]
    assert [answer.status for answer in answers] == ["success"] * 3
    assert answers[1].artifact["ranking"]
    assert answers[2].artifact["reward"] == 0.0
    async with services.engine.connect() as connection:
        number = answers[1].artifact["recommendation_id"]
        sql = text("SELECT count(*) FROM re2llm.feedback WHERE recommendation_id = :id")
        assert await connection.scalar(sql, {"id": number}) == 1


class Shop(TypedDict, total=False):
    """A host's own state, which has no key of ours but means other things by some."""

    watched: list[str]
    items: str
    shelf: list[str]
    trouble: str


@dataclass
class Till:
    """A host's own context object."""

    cashier: str
    domain: int = 7
    re2llm: dict[str, Any] = field(default_factory=dict)


def shop(host: "re2llm.Re2llm | None" = None) -> StateGraph[Any, Any, Any, Any]:
    def write(result: Any) -> dict[str, Any]:
        if result.get("error"):
            return {"trouble": result["error"]["field"]}
        return {"shelf": [item["id"] for item in result["items"]]}

    builder: Any = StateGraph(Shop, context_schema=Till)
    builder.add_node(
        "recommend",
        re2llm.recommend_node(
            lambda state: {"history": state["watched"], "candidates": RANKED, "k": 4},
            write,
            host=host,
            context=lambda till: {"policy": "none", "record": till.cashier != "nobody"},
        ),
    )
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    return builder


@pytest.mark.parametrize("synchronous", [True, False])
async def test_as_a_node_of_a_foreign_graph(films: str, synchronous: bool) -> None:
    graph: Any = shop().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    request = {"watched": IDS[:2], "items": "not ours"}
    till = Till("Ann")
    if synchronous:
        state = await asyncio.to_thread(graph.invoke, request, config, context=till)
    else:
        state = await graph.ainvoke(request, config, context=till)
    assert len(state["shelf"]) == 4
    assert set(state) == {"watched", "items", "shelf"}
    assert state["items"] == "not ours"
    refused = await graph.ainvoke({"watched": []}, config, context=till)
    assert refused["trouble"] == "history"


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("part", ["read", "write"])
async def test_a_node_of_a_foreign_graph_uses_its_run(
    films: str, part: str, synchronous: bool
) -> None:
    def used(which: str) -> bool:
        if which != part:
            return True
        get_stream_writer()({"by": get_runtime(Till).context.cashier})
        return interrupt("Is that right?")

    def read(state: Any) -> dict[str, Any]:
        return {"history": state["watched"] if used("read") else [], "candidates": RANKED}

    def write(result: Any) -> dict[str, Any]:
        return {"shelf": result["ranking"] if used("write") else []}

    builder: Any = StateGraph(Shop, context_schema=Till)
    builder.add_node("recommend", re2llm.recommend_node(read, write))
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    graph = builder.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}

    async def run(given: Any) -> list[Any]:
        how: Any = {"config": config, "context": Till("Ann"), "stream_mode": ["custom", "values"]}
        if synchronous:
            return await asyncio.to_thread(lambda: list(graph.stream(given, **how)))
        return [one async for one in graph.astream(given, **how)]

    first = await run({"watched": IDS[:2]})
    assert ("custom", {"by": "Ann"}) in first
    assert "__interrupt__" in first[-1][1]
    last = await run(Command(resume=True))
    assert sorted(last[-1][1]["shelf"]) == sorted(RANKED)


async def test_a_foreign_graph_streams_our_steps(films: str) -> None:
    graph: Any = shop().compile()
    steps = [
        node
        async for _, update in graph.astream(
            {"watched": IDS[:2]}, context=Till("Ann"), stream_mode="updates", subgraphs=True
        )
        for node in update
    ]
    assert steps == ["prepare", "select_hint", "recommend", "check", "recommend"]


class Shared(TypedDict, total=False):
    """A host's state with our keys, which can hold our graph itself."""

    history: list[str]
    candidates: list[str]
    ranking: list[str]
    hint: dict[str, Any]
    error: dict[str, str]


async def test_as_a_subgraph_that_shares_keys_and_finds_its_context_in_the_foreign_one(
    films: str,
) -> None:
    builder: Any = StateGraph(Shared, context_schema=Till)
    builder.add_node("ours", re2llm.build_recommend_graph())
    builder.add_edge(START, "ours")
    builder.add_edge("ours", END)
    graph = builder.compile()
    request = {"history": IDS[:2], "candidates": RANKED}
    carried: tuple[Any, ...] = (
        {"policy": "none", "domain": films},
        re2llm.Context(policy="none", domain=films),
    )
    for ours in carried:
        state = await graph.ainvoke(request, context=Till("Ann", re2llm=ours))
        assert state["hint"]["policy"] == "none"
        assert sorted(state["ranking"]) == sorted(RANKED)
    # Without ours, the foreign object's own `domain` means nothing to us.
    state = await graph.ainvoke(request, context=Till("Ann"))
    assert sorted(state["ranking"]) == sorted(RANKED)


async def test_the_context_crosses_no_process(films: str) -> None:
    schema = re2llm.build_recommend_graph().get_context_jsonschema()
    assert schema is not None
    assert "services" not in schema["properties"]
    state: Any = await re2llm.build_recommend_graph().ainvoke(
        {"history": IDS[:2], "candidates": RANKED},
        context={"services": {"engine": "x"}, "policy": "none"},  # pyright: ignore[reportArgumentType]
    )
    assert sorted(state["ranking"]) == sorted(RANKED)


async def test_a_budget_sent_as_json_is_kept(films: str) -> None:
    answer = await re2llm.build_recommend_graph().ainvoke(
        {"history": IDS[:2], "candidates": RANKED},  # pyright: ignore[reportArgumentType]
        context={"budget": {"max_llm_calls": 0}},  # pyright: ignore[reportArgumentType]
    )
    assert answer["error"]["kind"] == "budget"
    assert "The limit of 0 calls" in answer["error"]["problem"]
