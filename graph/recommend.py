"""The `recommend` graph: prepare → select_hint → recommend → check."""

# LangGraph leaves type arguments of its own open in `add_node` and `compile`.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from ..nodes.check import check
from ..nodes.prepare import prepare
from ..nodes.recommend import recommend
from ..nodes.select_hint import select_hint
from ..ranking.state import RecommendRequest, RecommendResult, RecommendState
from ..runtime.options import Context
from .routes import or_end

RecommendGraph = CompiledStateGraph[RecommendState, Context, Any, Any]


def build_graph() -> RecommendGraph:
    """Build the graph, without checkpointer or store, so that any host may bring its own."""
    builder = StateGraph(
        RecommendState,
        context_schema=Context,
        input_schema=RecommendRequest,
        output_schema=RecommendResult,
    )
    builder.add_node("prepare", prepare)
    builder.add_node("select_hint", select_hint)
    builder.add_node("recommend", recommend)
    builder.add_node("check", check)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", or_end("select_hint"), ["select_hint", END])
    builder.add_conditional_edges("select_hint", or_end("recommend"), ["recommend", END])
    builder.add_conditional_edges("recommend", or_end("check"), ["check", END])
    builder.add_edge("check", END)
    return builder.compile(name="recommend")


graph = build_graph()
