"""Runs the graphs for the operations, and raises the errors in their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from ..errors import error_from
from ..runtime.context import Context

_Graph = CompiledStateGraph[Any, Context, Any, Any]

# Each is loaded when it is first run: together they take longer than a recommendation.


@cache
def recommend_graph() -> _Graph:
    """Return the graph that recommends."""
    from ..graph.recommend import graph  # noqa: PLC0415

    return _apart(graph)


@cache
def learn_graph() -> _Graph:
    """Return the graph that learns from one training session."""
    from ..graph.learn import graph  # noqa: PLC0415

    return _apart(graph)


@cache
def rate_graph() -> _Graph:
    """Return the graph that predicts a rating."""
    from ..graph.rate import graph  # noqa: PLC0415

    return _apart(graph)


def _apart(graph: _Graph) -> _Graph:
    # As a tool inside a foreign run, a graph must not write to that run's checkpointer.
    return graph.copy({"checkpointer": False})


OnState = Callable[[str, Mapping[str, Any]], None]
"""Called after each node with its name and the keys of the state that it has set."""


async def run_graph(
    graph: _Graph,
    request: Mapping[str, Any],
    context: Context,
    on_state: OnState | None = None,
) -> dict[str, Any]:
    """Run a graph and return its answer.

    Raises:
        Re2llmError: The error in the answer.
    """
    # LangGraph leaves a type argument of `Command` open.
    if on_state is None:
        answer: Any = await graph.ainvoke(dict(request), context=context)  # pyright: ignore[reportUnknownMemberType]
    else:
        answer = await _watched(graph, request, context, on_state)
    if answer.get("error"):
        raise error_from(answer["error"])
    return answer


async def _watched(
    graph: _Graph,
    request: Mapping[str, Any],
    context: Context,
    on_state: OnState,
) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    # "values" comes last, as from `ainvoke`.
    stream: Any = graph.astream(  # pyright: ignore[reportUnknownMemberType]
        dict(request), context=context, stream_mode=["updates", "values"]
    )
    async for mode, part in stream:
        if mode == "values":
            answer = part
            continue
        for name, update in part.items():
            on_state(name, update or {})
    return answer


async def run_recommend(
    request: Mapping[str, Any], context: Context, on_state: OnState | None = None
) -> dict[str, Any]:
    """Run the `recommend` graph and return its answer.

    Raises:
        Re2llmError: The error in the answer.
    """
    return await run_graph(recommend_graph(), request, context, on_state)
