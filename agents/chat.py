"""The `chat` graph: an assistant over `messages` that recommends with our tools."""

# LangChain leaves type arguments of its own open in `create_agent`.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime, get_runtime

from ..errors import Re2llmError
from ..llm.chat_prompt import CHAT_PROMPT
from ..llm.offline import OfflineAssistant
from ..nodes.context import Context, call_with, context_of, narrowed
from ..settings import OFFLINE_MODEL
from .host import Re2llm, default_host
from .tools import chat_tools

_log = logging.getLogger(__name__)

ChatGraph = CompiledStateGraph[Any, Context, Any, Any]


def build_graph(host: Re2llm | None = None) -> ChatGraph:
    """Build the graph, without checkpointer or store, so that any host may bring its own.

    The run's model chats and ranks. With no key it is a deterministic assistant over the same
    tools, which says what it is.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
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
    """Lets the run's own model speak, and the offline assistant where that one fails."""

    def __init__(self, host: Re2llm) -> None:
        super().__init__()
        self._host = host

    async def awrap_model_call(
        self,
        request: ModelRequest[Context],
        handler: Callable[[ModelRequest[Context]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | AIMessage:
        """Call the model that the context or the settings name.

        Args:
            request: With the offline assistant as its model.
            handler: Calls it.
        """
        try:
            model = await self._model(request.runtime)
        except Re2llmError as error:
            return AIMessage(str(error))
        if isinstance(model, OfflineAssistant):
            return await handler(request.override(model=model))
        try:
            return await handler(request.override(model=model))
        except Exception as error:  # noqa: BLE001  # any provider's failure ends in an answer
            _log.warning("the chat model failed: %s", type(error).__name__)
            stand_in = OfflineAssistant(note="(The language model does not answer.)")
            return await handler(request.override(model=stand_in))

    async def _model(self, runtime: Runtime[Any]) -> BaseChatModel:
        call = await call_with(_context(self._host, runtime))
        if call.model == OFFLINE_MODEL:
            return OfflineAssistant()
        return (await call.services.endpoint(call.model)).model


def _context(host: Re2llm, runtime: Runtime[Any]) -> Context:
    """Return the run's options on the host's database and models."""
    ours = narrowed(context_of(runtime.context), runtime)
    return ours if ours.services is not None else replace(ours, services=host.context().services)


graph = build_graph()
