"""The `chat` graph: an assistant over `messages` that recommends with our tools."""

# LangChain leaves type arguments of its own open in `create_agent`.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime, get_runtime
from langgraph.types import Command

from ..errors import Re2llmError
from ..llm.chat.history import with_calls_answered, with_inert_text
from ..llm.chat.prompt import CHAT_PROMPT
from ..llm.errors.failures import ModelFailedError
from ..llm.offline import OfflineAssistant
from ..runtime.chat_call import call_chat_model
from ..runtime.context import Context
from ..runtime.context_checks import context_of, narrowed
from ..runtime.options import resolve_context
from ..settings import OFFLINE_MODEL
from .chat_reviews import reviews_so_far
from .chat_turns import ENDLESS, TOO_SLOW, ChatState, ends, goes_round, refusal
from .host import Re2llm, default_host
from .tools import chat_tools

_NO_ANSWER = "(The language model does not answer.)"
_NO_TOOLS = "(The language model supports no tools here, so it cannot look anything up for you.)"
_FOR_TOOLS = 0.1
"""Share of a turn's time that the stand-in must have left to begin with tools."""
_log = logging.getLogger(__name__)

ChatGraph = CompiledStateGraph[Any, Context, Any, Any]


def build_graph(host: Re2llm | None = None) -> ChatGraph:
    """Build the graph without a checkpointer or a store, so that any host can bring its own.

    The run's model chats and ranks. If there is none, or it fails or supports no tools, a stand-in
    that understands titles and numbers answers, and says so. It also ends a turn in which the model
    calls tools again and again, or which takes too long.

    Args:
        host: Its database and models are used; `None` takes those of the settings.
    """
    owner = host or default_host()
    return create_agent(
        OfflineAssistant(),
        chat_tools(lambda: _context(owner, get_runtime()), owner),
        system_prompt=CHAT_PROMPT,
        middleware=[_RunsOwnModel(owner)],
        context_schema=Context,
        name="chat",
    )


class _RunsOwnModel(AgentMiddleware[Any, Context]):
    """Calls the run's own model, with its retries, or the stand-in if that fails."""

    state_schema = ChatState

    def __init__(self, host: Re2llm) -> None:
        super().__init__()
        self._host = host

    async def abefore_agent(
        self,
        state: ChatState,
        runtime: Runtime[Context],  # noqa: ARG002  # the base class's signature
    ) -> dict[str, Any]:
        """Note when the run begins, and with what.

        Args:
            state: The graph's state.
            runtime: The run's runtime.
        """
        return {"begun": time.monotonic(), "found": len(state["messages"])}

    async def awrap_model_call(
        self,
        request: ModelRequest[Context],
        handler: Callable[[ModelRequest[Context]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | AIMessage:
        """Call the model that the context or the settings name.

        Args:
            request: With the stand-in as its model.
            handler: Calls it.
        """
        endless = goes_round(request.state)
        request = request.override(messages=_fit_to_send(request.messages))

        async def ask(model: BaseChatModel, prompt: Sequence[BaseMessage]) -> AIMessage:
            response = await handler(_with_prompt(request, prompt).override(model=model))
            said = response.result[-1]
            return said if isinstance(said, AIMessage) else AIMessage(str(said.text))

        late = math.inf
        try:
            options = await resolve_context(_context(self._host, request.runtime))
            if options.model == OFFLINE_MODEL:
                return await handler(request.override(model=OfflineAssistant()))
            until = ends(request.state, options.settings.deadline)
            late = until - _FOR_TOOLS * options.settings.deadline
            if endless or time.monotonic() >= until:
                note = ENDLESS if endless else TOO_SLOW
                return await handler(_stood_in(request, note, tools=False))
            prompt = [*filter(None, [request.system_message]), *request.messages]
            return await call_chat_model(options, prompt, ask, until=until)
        except Re2llmError as error:
            return AIMessage(str(error))
        except ModelFailedError as error:
            _log.warning("the chat model failed: %s", error.failure)
            note = _NO_TOOLS if error.no_tools else _NO_ANSWER
            return await handler(_stood_in(request, note, tools=time.monotonic() < late))

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Call a tool, unless the turn has had too many.

        A rating is predicted from what the thread knows if the model sends nothing.

        Args:
            request: The model's call.
            handler: Calls the tool.
        """
        call = request.tool_call
        if (refused := refusal(request.state, call)) is not None:
            return refused
        if call["name"] == "rate" and not call["args"].get("history"):
            history = reviews_so_far(request.state["messages"], call["args"])
            filled: ToolCall = {**call, "args": {**call["args"], "history": history}}
            request = request.override(tool_call=filled)
        return await handler(request)


def _fit_to_send(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    return cast("list[AnyMessage]", with_inert_text(with_calls_answered(messages)))


def _with_prompt(
    request: ModelRequest[Context], prompt: Sequence[BaseMessage]
) -> ModelRequest[Context]:
    rules = prompt[0] if isinstance(prompt[0], SystemMessage) else None
    messages = cast("list[AnyMessage]", list(prompt[1:] if rules else prompt))
    return request.override(system_message=rules, messages=messages)


def _stood_in(request: ModelRequest[Context], note: str, *, tools: bool) -> ModelRequest[Context]:
    if tools:
        return request.override(model=OfflineAssistant(note=note))
    return request.override(model=OfflineAssistant(note=note, tools=frozenset()), tools=[])


def _context(host: Re2llm, runtime: Runtime[Any]) -> Context:
    """Return the run's options on the host's database and models."""
    ours = narrowed(context_of(runtime.context), runtime)
    return ours if ours.services is not None else replace(ours, services=host.context().services)


graph = build_graph()
