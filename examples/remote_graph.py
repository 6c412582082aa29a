"""re2llm on another machine as a node of your own graph: `python remote_graph.py [URL [KEY]]`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """Shares the keys that it needs with re2llm's graph."""

    history: list[str]
    items: list[dict[str, Any]]
    error: dict[str, str] | None


async def main(url: str, key: str | None = None) -> None:
    """Recommend after two films."""
    builder: Any = StateGraph(State)
    builder.add_node("recommend", RemoteGraph("recommend", url=url, api_key=key))
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    graph = builder.compile()
    answer = await graph.ainvoke({"history": ["alien-1979", "blade-runner-1982"]})
    if answer.get("error"):
        sys.exit("{problem} {remedy}".format_map(answer["error"]))
    for item in answer["items"][:3]:
        print(f"{item['rank']}. {item['title']}")


if __name__ == "__main__":
    where = sys.argv[1:] or ["http://127.0.0.1:2024"]
    try:
        asyncio.run(main(*where))
    except httpx.ConnectError:
        sys.exit(f"No server answers at {where[0]}: `langgraph dev` starts one.")
