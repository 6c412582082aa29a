"""A thread's state that somebody has edited, as LangGraph Studio lets them."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from re2llm.data.sample import load_films
from re2llm.graph.rate import build_graph as build_rate
from re2llm.graph.recommend import build_graph as build_recommend
from re2llm.runtime.context import Context

IDS = [film.id for film in load_films()]
RATING: dict[str, Any] = {"item": {"title": "Alien"}, "history": [{"title": "Heat", "rating": 4}]}

TOLD = {
    build_recommend: {"hint", "hints", "flags", "shown", "history_items", "candidate_items"}
    | {"evidence", "reranked", "recipe", "deadline_at", "answer"},
    build_rate: {"flags", "prompt", "scale", "answer"},
}
"""Keys of each graph that a later step cannot use with another type."""
LISTS = {"flags", "history_items", "candidate_items", "evidence", "prompt", "scale"}
"""Those that it cannot use with nothing in them, either."""


async def edited(graph: Any, request: Any, node: str, change: dict[str, Any]) -> dict[str, Any]:
    """Return a thread's answer whose state is edited after a node."""
    config: Any = {"configurable": {"thread_id": "t"}}
    context = Context(policy="none", fuse="llm", record=False)
    compiled = graph.builder.compile(checkpointer=InMemorySaver(), interrupt_after=[node])
    await compiled.ainvoke(request, config, context=context)
    await compiled.aupdate_state(config, change, as_node=node)
    compiled.interrupt_after_nodes = []
    return await compiled.ainvoke(None, config, context=context)


async def states(graph: Any, request: Any) -> dict[str, dict[str, Any]]:
    """Return what the state holds after each node but the last."""
    found: dict[str, dict[str, Any]] = {}
    context = Context(policy="none", fuse="llm", record=False)
    whole: dict[str, Any] = {}
    async for mode, part in graph.astream(
        request, context=context, stream_mode=["updates", "values"]
    ):
        if mode == "values":
            found.setdefault(next(reversed(whole), ""), part)
        else:
            whole |= part
    return {name: found[name] for name in list(whole)[:-1]}


@pytest.mark.long
@pytest.mark.parametrize("build", [build_recommend, build_rate], ids=["recommend", "rate"])
async def test_a_value_of_another_type_is_told_by_its_key(films: str, build: Any) -> None:
    graph = build()
    asked: Any = {"domain": films, "history": IDS[:2], "candidates": IDS[5:9]}
    request = asked if build is build_recommend else RATING
    told, emptied = set[str](), set[str]()
    for node, state in (await states(graph, request)).items():
        for key, value in state.items():
            if value is None:
                continue
            another: Any = 5 if isinstance(value, str | list | dict) else {"x": [1]}
            for wrong, found in ((another, told), (None, emptied)):
                if wrong is None and not isinstance(value, list | dict):
                    continue
                error = (await edited(graph, request, node, {key: wrong}))["error"]
                if error is not None:
                    assert error["kind"] == "input", (node, key, error)
                    assert error["field"].startswith(key), (node, key, error)
                    assert "state" in error["remedy"]
                    found.add(key)
    assert told == TOLD[build]
    assert emptied == TOLD[build] & LISTS


async def test_a_hint_that_is_taken_out_is_not_given(films: str) -> None:
    request = {"domain": films, "history": IDS[:2], "candidates": IDS[5:9]}
    graph = build_recommend()
    config: Any = {"configurable": {"thread_id": "t"}}
    context = Context(hint="Prefer old films.", fuse="llm")
    compiled = graph.builder.compile(checkpointer=InMemorySaver(), interrupt_after=["select_hint"])
    before = await compiled.ainvoke(request, config, context=context)
    assert before["hint"]["text"] == "Prefer old films."
    await compiled.aupdate_state(config, {"hint": None}, as_node="select_hint")
    answer = await compiled.ainvoke(None, config, context=context)
    assert answer["error"] is None
    assert answer["hint"] == {"id": None, "text": None, "policy": "none", "probability": 1.0}
    assert answer["hints"] == []
    assert (answer["llm_calls"], answer["recommendation_id"] is None) == (1, False)


async def test_a_hint_that_is_written_into_the_state_is_given(films: str) -> None:
    request = {"domain": films, "history": IDS[:2], "candidates": IDS[5:9]}
    text = "Prefer old films."
    hint = {"id": None, "text": text, "policy": "given", "probability": 1.0}
    answer = await edited(build_recommend(), request, "select_hint", {"hint": hint})
    assert answer["error"] is None
    assert answer["hint"]["text"] == text
    assert answer["llm_calls"] == 1
