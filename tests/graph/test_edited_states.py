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
    told = set[str]()
    for node, state in (await states(graph, request)).items():
        for key, value in state.items():
            if value is None:
                continue
            wrong: Any = 5 if isinstance(value, str | list | dict) else {"x": [1]}
            error = (await edited(graph, request, node, {key: wrong}))["error"]
            if error is not None:
                assert error["kind"] == "input", (node, key, error)
                assert error["field"].startswith(key), (node, key, error)
                assert "state" in error["remedy"]
                told.add(key)
    assert told


async def test_a_hint_that_is_written_into_the_state_is_given(films: str) -> None:
    request = {"domain": films, "history": IDS[:2], "candidates": IDS[5:9]}
    text = "Prefer old films."
    hint = {"id": None, "text": text, "policy": "given", "probability": 1.0}
    answer = await edited(build_recommend(), request, "select_hint", {"hint": hint})
    assert answer["error"] is None
    assert answer["hint"]["text"] == text
    assert answer["llm_calls"] == 1
