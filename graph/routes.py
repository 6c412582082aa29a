"""Chains of nodes and the routes between them, which several graphs share."""

# LangGraph leaves type arguments of its own open in `add_node` and `compile`.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any

from langgraph.graph import END, StateGraph
from typing_extensions import TypedDict

from ..nodes.check import check
from ..nodes.prepare import prepare
from ..nodes.recommend import recommend
from ..nodes.select_hint import select_hint


class Outcome(TypedDict):
    """The part of the state that a route reads: LangGraph passes it only the keys named here."""

    error: dict[str, str] | None


def add_ranking(builder: StateGraph[Any, Any, Any, Any]) -> None:
    """Add the nodes from `prepare` to `check`, with the edges between them."""
    add_chain(
        builder,
        {
            "prepare": prepare,
            "select_hint": select_hint,
            "recommend": recommend,
            "check": check,
        },
    )


def add_chain(builder: StateGraph[Any, Any, Any, Any], nodes: Mapping[str, Any]) -> None:
    """Add nodes in a row; the run ends after one that sets `error`."""
    names = list(nodes)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for name, following in pairwise(names):
        builder.add_conditional_edges(name, or_end(following), [following, END])


def or_end(following: str) -> Callable[[Outcome], Awaitable[str]]:
    """Route to the next node, or to the end if the request cannot be answered.

    The route is asynchronous, because LangGraph hands a plain function to a thread.
    """

    async def route(state: Outcome) -> str:
        return END if state.get("error") else following

    return route
