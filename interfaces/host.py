"""One object that owns database and models, for programs that embed re2llm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from functools import lru_cache
from types import TracebackType
from typing import Any, Self, TypeVar

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from ..errors import InputError
from ..runtime.context import Context
from ..runtime.services import Services, open_services
from ..runtime.sharing import ServiceSet, shared_service_set
from ..settings import HintChoice, Settings, get_settings
from .client import Client
from .portal import Portal

_Result = TypeVar("_Result")


class Re2llm(Client):
    """Database, models and caches, opened on first use and closed with the object.

    Methods that begin with `a` run on the caller's event loop, the others on a thread of the
    object's own; each of the two keeps its own connections. Anything not given is read from the
    settings (`RE2LLM_*`).

    Example:
        async with Re2llm("postgresql://user:password@host/database", domain="films") as re2llm:
            answer = await re2llm.arecommend(["Alien", "Blade Runner"], k=3)

    Args:
        database: A PostgreSQL URL, or an `AsyncEngine` over psycopg 3 that the host keeps and
            closes; it serves one event loop, and other loops and threads get connections of
            their own to its database.
        model: The ranking model: `offline`, a provider and a name, or a LangChain chat model.
        model_name: What trials and policy releases call a chat model; by default its provider and
            name, such as `openai:gpt-4.1-mini`.
        domain: The domain for requests that name none.
        policy: How hints are chosen.

    Raises:
        InputError: The model is neither a name nor a chat model, or the database is none of these.
    """

    def __init__(
        self,
        database: str | URL | AsyncEngine | None = None,
        *,
        model: str | BaseChatModel | None = None,
        model_name: str | None = None,
        domain: str | None = None,
        policy: HintChoice | None = None,
    ) -> None:
        self._engine = database if isinstance(database, AsyncEngine) else None
        url = _database_url(database)
        self._engine_loop: asyncio.AbstractEventLoop | None = None
        self._model = _chat_model(model)
        name = _name(self._model, model_name) if self._model is not None else model
        changes = {
            "database_url": None if url is None else SecretStr(url),
            "model": name,
            "domain": domain,
            "policy": policy,
        }
        self._changes = {key: value for key, value in changes.items() if value is not None}
        self._services = ServiceSet(self._open) if self._changes else shared_service_set()
        self._portal = Portal(self._services.close)
        self._closed = False

    def context(self, **options: Any) -> Context:
        """Return a context that runs any of our graphs on this object's database and models.

        Args:
            **options: Other fields of `Context`, such as `policy`.
        """
        self._require_open()
        return Context(services=self._services, **options)

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine on the object's own thread and return its result.

        Args:
            work: Makes the coroutine.

        Raises:
            InputError: The object is closed, or was closed in the meantime.
        """
        try:
            return self._portal.run(work)
        except (CancelledError, RuntimeError):
            self._require_open()
            raise

    async def aclose(self) -> None:
        """Stop all work and close what this event loop and the object's own thread have opened."""
        self._closed = True
        await self._services.close()
        await asyncio.to_thread(self._portal.close)

    def close(self) -> None:
        """Stop all work on the object's own thread, and close what it has opened."""
        self._closed = True
        self._portal.close()

    async def __aenter__(self) -> Self:
        self.context()
        await self._services.get()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        self.context()
        self.run(self._services.get)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._closed:
            raise InputError("Re2llm", "It is closed.", "Make a new one.")

    async def _open(self) -> Services:
        self._require_open()  # a call that is under way would open what nobody closes
        settings: Settings = (await asyncio.to_thread(get_settings)).model_copy(
            update=self._changes
        )
        services = await open_services(settings, engine=self._engine_here())
        if self._model is not None:
            await asyncio.to_thread(services.models.register, settings.model, self._model)
        return services

    def _engine_here(self) -> AsyncEngine | None:
        """Return the host's engine to the first loop that asks; its connections belong to it."""
        loop = asyncio.get_running_loop()
        if self._engine is None or loop is self._portal.loop:
            return None
        self._engine_loop = self._engine_loop or loop
        return self._engine if loop is self._engine_loop else None


def _database_url(given: object) -> str | None:
    """Return the URL of a host's database, or `None` if it gives nothing.

    Raises:
        InputError: It gives something else: the settings' database would be used unnoticed.
    """
    if isinstance(given, AsyncEngine):
        given = given.url
    if isinstance(given, URL):
        return given.render_as_string(hide_password=False)
    if given is None or isinstance(given, str):
        return given
    kind = type(given)
    raise InputError(
        "database",
        f"It is neither a URL nor an AsyncEngine ({kind.__module__}.{kind.__qualname__}).",
        "Hand over a URL, or make it with sqlalchemy.ext.asyncio.create_async_engine.",
    )


def _chat_model(given: object) -> BaseChatModel | None:
    """Return a host's chat model, or `None` if it gives a name or nothing.

    Raises:
        InputError: It gives something else, such as a chat model's `bind(…)`, whose options would
            be lost.
    """
    if given is None or isinstance(given, str | BaseChatModel):
        return given if isinstance(given, BaseChatModel) else None
    raise InputError(
        "model",
        f"It is no chat model ({type(given).__name__}).",
        "Hand over the LangChain chat model itself, with its options set on it, or a name.",
    )


def _name(model: BaseChatModel, given: str | None) -> str:
    """Return the name that trials and releases use for a host's model, as for `init_chat_model`."""
    if given is not None:
        return given
    # LangChain's own name for tracing; there is no public one.
    known = model._get_ls_params()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    provider, name = known.get("ls_provider"), known.get("ls_model_name")
    return f"{provider}:{name}" if provider and name else type(model).__name__


@lru_cache(maxsize=1)
def default_host() -> Re2llm:
    """Return the process's object for the settings; it shares the graphs' services."""
    return Re2llm()
