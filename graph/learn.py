"""The `learn` graph: ranks a session whose next item is known, and learns hints from a miss."""

# LangGraph leaves type arguments of its own open in `add_node` and `compile`.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from ..nodes.learn_state import LearnRequest, LearnResult, LearnState
from ..nodes.pick_session import pick_session
from ..nodes.reflect import reflect
from ..nodes.store_hint import store_hint
from ..nodes.verify_hint import verify_hint
from ..runtime.context import Context
from .routes import Outcome, add_chain, add_ranking, or_end

LearnGraph = CompiledStateGraph[LearnState, Context, Any, Any]


def build_graph() -> LearnGraph:
    """Build the graph, without checkpointer or store, so that any host may bring its own."""
    builder = StateGraph(
        LearnState, context_schema=Context, input_schema=LearnRequest, output_schema=LearnResult
    )
    builder.add_node("pick_session", pick_session)
    add_ranking(builder)
    add_chain(builder, {"reflect": reflect, "verify_hint": verify_hint, "store_hint": store_hint})
    builder.add_edge(START, "pick_session")
    builder.add_conditional_edges("pick_session", or_end("prepare"), ["prepare", END])
    builder.add_conditional_edges("check", _missed, ["reflect", END])
    builder.add_edge("store_hint", END)
    return builder.compile(name="learn")


class _Missed(Outcome):
    missed: bool


async def _missed(state: _Missed) -> str:
    return "reflect" if not state.get("error") and state["missed"] else END


graph = build_graph()
