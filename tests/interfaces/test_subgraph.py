"""`recommend_node` in graphs that interrupt it, on an event loop or not; its refusals."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import re2llm
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from re2llm.data.sample import load_films
from re2llm.knowledge.domains import find_domain
from re2llm.ranking.state import RecommendResult
from re2llm.runtime.services import Services
from sqlalchemy import text
from typing_extensions import TypedDict

IDS = [film.id for film in load_films()]
RANKED = IDS[40:46]
HOW = [("sync", "sync"), ("async", "async"), ("sync", "async"), ("async", "sync")]
THREAD = {"configurable": {"thread_id": "1"}}
Answer = dict[str, Any]


class Shop(TypedDict, total=False):
    watched: list[str]
    shelf: Any


def shop(
    write: Callable[[Any], Mapping[str, Any]], checkpointer: Any = None, **options: Any
) -> Any:
    builder: Any = StateGraph(Shop)
    node = re2llm.recommend_node(
        lambda state: {"history": state["watched"], "candidates": RANKED}, write, **options
    )
    builder.add_node("recommend", node)
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    return builder.compile(checkpointer=checkpointer)


async def run(graph: Any, how: str, given: Any, config: Any = None) -> Any:
    if how == "sync":
        return await asyncio.to_thread(graph.invoke, given, config)
    return await graph.ainvoke(given, config)


async def logged(services: Services, domain: str) -> int:
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        query = text("SELECT count(*) FROM re2llm.recommendation WHERE domain_id = :id")
        return int(await connection.scalar(query, {"id": found.id}) or 0)


@pytest.mark.parametrize(("before", "after"), HOW)
async def test_an_interrupted_write_gets_the_same_answer_again(
    services: Services, films: str, before: str, after: str
) -> None:
    answers = list[RecommendResult]()

    def write(result: RecommendResult) -> Answer:
        answers.append(result)
        return {"shelf": [interrupt("Show them?"), *result["ranking"]]}

    graph = shop(write, InMemorySaver(), context=lambda _: {"policy": "none", "domain": films})
    made = await logged(services, films)
    first = await run(graph, before, {"watched": IDS[:2]}, THREAD)
    assert first["__interrupt__"][0].value == "Show them?"
    last = await run(graph, after, Command(resume="yes"), THREAD)
    assert last["shelf"][0] == "yes"
    assert sorted(last["shelf"][1:]) == sorted(RANKED)
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert answers[0]["recommendation_id"]
    assert await logged(services, films) == made + 1


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_each_run_of_a_thread_is_answered_anew(films: str, how: str) -> None:
    graph = shop(
        lambda result: {"shelf": result["recommendation_id"]},
        InMemorySaver(),
        context=lambda _: {"policy": "none", "domain": films},
    )
    shelves = [(await run(graph, how, {"watched": IDS[:2]}, THREAD))["shelf"] for _ in range(2)]
    assert len({*shelves, None}) == 3


def closed(films: str) -> dict[str, Any]:
    host = re2llm.Re2llm(domain=films)
    host.close()
    return {"host": host}


REFUSED: dict[str, tuple[Callable[[str], dict[str, Any]], str, str]] = {
    "closed": (closed, "Re2llm", "closed"),
    "unknown": (lambda _: {"context": lambda _: {"zork": 1}}, "context", "'zork'"),
    "services": (lambda _: {"context": lambda _: {"services": None}}, "context", "'services'"),
    "value": (lambda _: {"context": lambda _: {"policy": "bogus"}}, "policy", ""),
    "domain": (lambda _: {"context": lambda _: {"domain": "none-such"}}, "domain", "none-such"),
}


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize(("options", "field", "said"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_we_refuse_comes_to_write(
    films: str, how: str, options: Callable[[str], dict[str, Any]], field: str, said: str
) -> None:
    graph = shop(lambda result: {"shelf": result}, **await asyncio.to_thread(options, films))
    result = (await run(graph, how, {"watched": IDS[:2]}))["shelf"]
    assert result["error"]["kind"] == "input"
    assert result["error"]["field"] == field
    assert said in result["error"]["problem"]
    assert (result["items"], result["faults"], result["model"]) == ([], {}, None)
    assert result.keys() >= RecommendResult.__annotations__.keys() - {"domain"}


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_an_error_of_the_hosts_own_functions_ends_its_run(films: str, how: str) -> None:
    def fails(_: Any) -> Any:
        raise ValueError("the host's own")

    for graph in (shop(fails), shop(lambda _: {}, context=fails)):
        with pytest.raises(ValueError, match="the host's own"):
            await run(graph, how, {"watched": IDS[:2]})
