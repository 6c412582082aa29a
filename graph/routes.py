"""Conditional edges that more than one graph uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langgraph.graph import END


def or_end(following: str) -> Callable[[Mapping[str, Any]], Awaitable[str]]:
    """Route to the next node, or to the end where the request cannot be answered.

    Asynchronous, since LangGraph hands a plain function to a thread.

    Args:
        following: The next node.
    """

    async def route(state: Mapping[str, Any]) -> str:
        return END if state.get("error") else following

    return route
