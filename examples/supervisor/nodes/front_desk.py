"""The host's own nodes."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.types import Command


def supervisor(state: dict[str, Any]) -> Command[Literal["recommend", "answer"]]:
    """Send questions for something to see to re2llm, and all others to the desk."""
    asked = state["messages"][-1].text.lower()
    return Command(goto="recommend" if "next" in asked else "answer")


def answer(state: dict[str, Any]) -> dict[str, Any]:
    """Answer the visitor."""
    if state.get("shelf"):
        text = f"After those I would see {', '.join(state['shelf'])}."
    else:
        text = state.get("trouble", "At ten.")
    return {"messages": [("ai", text)]}
