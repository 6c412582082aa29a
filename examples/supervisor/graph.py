"""A host's own graph, beside its own package `nodes`, with re2llm as one of its workers.

Run it in this folder: `python graph.py`. It needs a loaded domain `films`; `re2llm demo` makes one.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import re2llm
from langchain_core.messages import AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from nodes.front_desk import answer, supervisor
from typing_extensions import TypedDict


class Desk(TypedDict, total=False):
    """The host's state. `items` and `history` mean things of its own here."""

    messages: Annotated[list[AnyMessage], add_messages]
    lent: list[str]
    items: int
    history: str
    shelf: list[str]
    trouble: str


@dataclass
class Visitor:
    """The host's context."""

    name: str
    collection: str = "films"


def shelf(result: Any) -> dict[str, Any]:
    """Make the host's update from re2llm's answer."""
    if result.get("error"):
        return {"trouble": "{problem} {remedy}".format_map(result["error"])}
    return {"shelf": [item["title"] for item in result["items"]]}


def build(host: re2llm.Re2llm) -> Any:
    """Build the host's graph."""
    builder: Any = StateGraph(Desk, context_schema=Visitor)
    builder.add_node("supervisor", supervisor)
    builder.add_node(
        "recommend",
        re2llm.recommend_node(
            read=lambda state: {"history": state["lent"], "k": 3},
            write=shelf,
            context=lambda visitor: {"domain": visitor.collection},
            host=host,
        ),
    )
    builder.add_node("answer", answer)
    builder.add_edge(START, "supervisor")
    builder.add_edge("recommend", "answer")
    builder.add_edge("answer", END)
    return builder.compile()


async def main() -> int:
    """Serve two visitors; return the exit code."""
    async with re2llm.Re2llm(domain="films") as host:
        graph = build(host)
        for question in ("When do you close?", "What should I see next?"):
            state = await graph.ainvoke(
                {
                    "messages": [("user", question)],
                    "lent": ["alien-1979", "blade-runner-1982"],
                    "items": 12,
                    "history": "member since 1998",
                },
                context=Visitor("Ann"),
            )
            print(f"{question} {state['messages'][-1].text}")
    return 1 if state.get("trouble") else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
