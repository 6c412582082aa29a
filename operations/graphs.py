"""Runs the graphs for the operations, and raises the errors in their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from ..errors import error_from
from ..graph.learn import graph as _learn
from ..graph.rate import graph as _rate
from ..graph.recommend import graph as _recommend
from ..runtime.options import Context

# As a tool inside a foreign run, a graph must not write to that run's checkpointer.
RECOMMEND = _recommend.copy({"checkpointer": False})
LEARN = _learn.copy({"checkpointer": False})
RATE = _rate.copy({"checkpointer": False})


async def run_graph(
    graph: CompiledStateGraph[Any, Context, Any, Any], request: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """Run a graph and return its answer.

    Raises:
        Re2llmError: The error in the answer.
    """
    # LangGraph leaves a type argument of `Command` open.
    answer: Any = await graph.ainvoke(dict(request), context=context)  # pyright: ignore[reportUnknownMemberType]
    if answer.get("error"):
        raise error_from(answer["error"])
    return answer


async def ask(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Run the `recommend` graph and return its answer.

    Raises:
        Re2llmError: The error in the answer.
    """
    return await run_graph(RECOMMEND, request, context)
