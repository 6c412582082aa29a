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
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime, get_runtime

from ..errors import Re2llmError
from ..llm.chat_prompt import CHAT_PROMPT
from ..llm.failures import ModelFailedError
from ..llm.offline import OfflineAssistant
from ..runtime.chat_call import converse
from ..runtime.options import Context, context_of, narrowed, resolve_context
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
    """Lets the run's own model speak, with its retries, and the offline assistant in its stead."""

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
            options = await resolve_context(_context(self._host, request.runtime))
            if options.model == OFFLINE_MODEL:
                return await handler(request.override(model=OfflineAssistant()))
            return await converse(
                options,
                [*filter(None, [request.system_message]), *request.messages],
                lambda model: handler(request.override(model=model)),
                _spoken,
            )
        except Re2llmError as error:
            return AIMessage(str(error))
        except ModelFailedError as error:
            _log.warning("the chat model failed: %s", error.failure)
            stand_in = OfflineAssistant(note="(The language model does not answer.)")
            return await handler(request.override(model=stand_in))


def _spoken(response: ModelResponse[Any]) -> BaseMessage:
    return response.result[-1]


def _context(host: Re2llm, runtime: Runtime[Any]) -> Context:
    """Return the run's options on the host's database and models."""
    ours = narrowed(context_of(runtime.context), runtime)
    return ours if ours.services is not None else replace(ours, services=host.context().services)


graph = build_graph()
