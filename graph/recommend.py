"""The `recommend` graph: prepare → select_hint → recommend → check."""

# LangGraph leaves type arguments of its own open in `add_node` and `compile`.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from ..ranking.state import RecommendRequest, RecommendResult, RecommendState
from ..runtime.context import Context
from .routes import add_ranking

RecommendGraph = CompiledStateGraph[RecommendState, Context, Any, Any]


def build_graph() -> RecommendGraph:
    """Build the graph, without checkpointer or store, so that any host may bring its own."""
    builder = StateGraph(
        RecommendState,
        context_schema=Context,
        input_schema=RecommendRequest,
        output_schema=RecommendResult,
    )
    add_ranking(builder)
    builder.add_edge(START, "prepare")
    builder.add_edge("check", END)
    return builder.compile(name="recommend")


graph = build_graph()
