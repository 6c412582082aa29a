"""How much one message of a person may cost: calls of the model and its tools, and seconds."""

# LangChain leaves type arguments of its own open in `AgentState`.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired

from langchain.agents import AgentState
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.channels import UntrackedValue

MOST_ANSWERS = 10
"""Times that the model may speak or call tools before the person says something again."""
MOST_TOOL_CALLS = 20
"""Tool calls in all of these together: one answer may hold any number of them."""

ENDLESS = "(The language model went on looking things up, and came to no answer. Please ask again.)"
TOO_SLOW = "(The language model came to no answer in time.)"
_REFUSED = f"Not done: {MOST_TOOL_CALLS} tool calls have been made. Answer without any further one."


class ChatState(AgentState[Any]):
    """The messages, and when and with how many of them the run has begun."""

    begun: NotRequired[Annotated[float, UntrackedValue, PrivateStateAttr]]
    """The start in seconds, as `time.monotonic` counts; no checkpoint holds it."""
    found: NotRequired[Annotated[int, PrivateStateAttr]]
    """Messages at the start: what other agents have said and called costs us nothing."""


def ends(state: Mapping[str, Any], deadline: float) -> float:
    """Return when the turn must end, as `time.monotonic` counts.

    Args:
        state: The graph's state. A run that continues after an interruption has no beginning.
        deadline: Seconds that it may take.
    """
    return state.get("begun", time.monotonic()) + deadline


def goes_round(state: Mapping[str, Any]) -> bool:
    """Tell whether the model has had all its answers since the person spoke last.

    Args:
        state: The graph's state.
    """
    return sum(isinstance(message, AIMessage) for message in _turn(state)) >= MOST_ANSWERS


def refusal(state: Mapping[str, Any], call: ToolCall) -> ToolMessage | None:
    """Return the answer to a tool call that is one too many, or `None`.

    Args:
        state: The graph's state, with the message that makes the call.
        call: One of its calls; of several that are alike, the last counts.
    """
    made = [c for m in _turn(state) if isinstance(m, AIMessage) for c in m.tool_calls]
    before = max((place for place, one in enumerate(made) if one["id"] == call["id"]), default=0)
    if before < MOST_TOOL_CALLS:
        return None
    return ToolMessage(_REFUSED, tool_call_id=call["id"], name=call["name"], status="error")


def _turn(state: Mapping[str, Any]) -> Sequence[AnyMessage]:
    """Return what this run has added since the person's last message."""
    messages: Sequence[AnyMessage] = state["messages"]
    spoken = [place for place, one in enumerate(messages) if isinstance(one, HumanMessage)]
    return messages[max([state.get("found", 0), *(place + 1 for place in spoken)]) :]
