"""The `rate` graph: prepare_rating → predict_rating → check_rating."""

# LangGraph leaves type arguments of its own open in `add_node` and `compile`.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from ..nodes.rating.check import check_rating
from ..nodes.rating.predict import predict_rating
from ..nodes.rating.prepare import prepare_rating
from ..nodes.rating.state import RatingRequest, RatingResult, RatingState
from ..runtime.context import Context
from .routes import add_chain

RateGraph = CompiledStateGraph[RatingState, Context, Any, Any]


def build_graph() -> RateGraph:
    """Build the graph, without checkpointer or store, so that any host may bring its own."""
    builder = StateGraph(
        RatingState, context_schema=Context, input_schema=RatingRequest, output_schema=RatingResult
    )
    add_chain(
        builder,
        {
            "prepare_rating": prepare_rating,
            "predict_rating": predict_rating,
            "check_rating": check_rating,
        },
    )
    builder.add_edge(START, "prepare_rating")
    builder.add_edge("check_rating", END)
    return builder.compile(name="rate")


graph = build_graph()
