"""Gives a host's chat model connections of its own, for the event loop that asks it."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel


def with_own_connections(model: BaseChatModel) -> BaseChatModel:
    """Return a model that shares no connection with the program that made it.

    A connection works only in the event loop that opened it. LangChain keeps one pool of them for
    all its models of OpenAI's protocol in a process, whatever loop asks. Blocks: making a client
    reads the system's certificates.

    Args:
        model: Stays as it is. It is returned itself if a client of its own was given to it, or if
            it speaks another protocol.
    """
    root: Any = getattr(model, "root_async_client", None)
    # LangChain makes the client for a proxy itself.
    proxy: str | None = getattr(model, "openai_proxy", None) or None
    given = getattr(model, "http_async_client", None) is not None and proxy is None
    if root is None or given:
        return model
    from .http_client import AnswerClient  # noqa: PLC0415  # imported on demand

    client = AnswerClient(proxy=proxy)
    root = root.with_options(http_client=client)
    clients = {"root_async_client": root, "async_client": root.chat.completions}
    return model.model_copy(update={**clients, "http_async_client": client})


async def close_connections(model: BaseChatModel) -> None:
    """Close a model's connections, on the event loop that has opened them.

    Args:
        model: One whose client was made for it alone.
    """
    client: Any = getattr(model, "http_async_client", None)
    if client is not None:
        await client.aclose()
