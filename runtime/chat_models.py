"""The chat models of a process: each is made once, and what is known of its log-probabilities."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Lock

from langchain_core.language_models import BaseChatModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..knowledge.log.logprobs import find_logprobs, store_logprobs
from ..llm.client.endpoint import Endpoint
from ..llm.client.factory import make_chat_model, model_server
from ..llm.client.limits import Limits
from ..llm.client.own_connections import close_connections, with_own_connections
from ..settings import OFFLINE_MODEL, Settings

_log = logging.getLogger(__name__)


class ChatModels:
    """Makes chat models by their names; all share the limits of the settings.

    Args:
        settings: Returns the present ones.
        engine: The database, which keeps what is found out about a model.
    """

    def __init__(self, settings: Callable[[], Settings], engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine
        self._endpoints: dict[tuple[str, bool], Endpoint] = {}
        self._ours: list[BaseChatModel] = []
        self._making = Lock()
        self._limits: Limits | None = None
        self._logprobs: dict[str, bool | None] = {OFFLINE_MODEL: True}

    @property
    def limits(self) -> Limits:
        """The places and the pace that all of them share."""
        if self._limits is None:
            settings = self._settings()
            self._limits = Limits(settings.model_concurrency, settings.model_rate)
        return self._limits

    async def endpoint(
        self, name: str, *, reflects: bool = False, option: str = "model"
    ) -> Endpoint:
        """Return the chat model of a name, made once, with its retries and limits.

        Args:
            name: As in the setting `model`.
            reflects: As the reflecting model, which may have a server and a key of its own.
            option: Of the run, which an error names unless it is a setting.

        Raises:
            InputError: It cannot be made.
        """
        settings = self._settings()
        own = reflects and bool(settings.reflect_base_url or settings.reflect_api_key)
        if (name, own) not in self._endpoints:
            await asyncio.to_thread(self._make, name, own, option, settings, self.limits)
        return self._endpoints[name, own]

    def _make(self, name: str, own: bool, option: str, settings: Settings, limits: Limits) -> None:
        with self._making:  # a client takes long to make, and its connections are its own
            if (name, own) not in self._endpoints:
                model = make_chat_model(settings, name, reflects=own, option=option)
                server = model_server(settings, reflects=own)
                made = Endpoint(name, model, limits, settings, server=server, cacheable=True)
                self._ours.append(model)
                self._endpoints[name, own] = made

    def register(self, name: str, model: BaseChatModel) -> None:
        """Let runs use a ready-made model, such as a host's own or one with a script.

        Blocks: a model that speaks OpenAI's protocol gets connections of its own.

        Args:
            name: What `Context.model` or the setting `model` calls it by.
            model: Any LangChain chat model; its own retries should be off.
        """
        own = with_own_connections(model)
        if own is not model:
            self._ours.append(own)
        made = Endpoint(name, own, self.limits, self._settings())
        self._endpoints[name, False] = self._endpoints[name, True] = made

    async def close(self) -> None:
        """Close the connections that were made for these models alone."""
        while self._ours:
            await close_connections(self._ours.pop())

    def gives_logprobs(self, name: str) -> bool | None:
        """Return whether a model gives log-probabilities, or `None` if that is not known."""
        return self._logprobs.get(name)

    async def recall_logprobs(self, name: str) -> None:
        """Look up once what earlier runs have found out about a model's log-probabilities."""
        if name in self._logprobs:
            return
        known = None
        if self._is_remote(name):
            try:
                async with self._engine.connect() as connection:
                    known = await find_logprobs(connection, name, model_server(self._settings()))
            except (OSError, SQLAlchemyError) as error:
                _log.warning("what is known of %s was not read: %s", name, type(error).__name__)
        self._logprobs.setdefault(name, known)

    async def note_logprobs(self, name: str, *, given: bool, keep: bool = True) -> None:
        """Remember whether a model gives log-probabilities.

        Args:
            keep: Whether later processes are to know, too.
        """
        news = self._logprobs.get(name) != given
        self._logprobs[name] = given
        if not news or not keep or not self._is_remote(name):
            return
        server = model_server(self._settings())
        try:
            async with self._engine.begin() as connection:
                await store_logprobs(connection, name, server, given=given)
        except (OSError, SQLAlchemyError) as error:
            _log.warning("what was found of %s was not kept: %s", name, type(error).__name__)

    def _is_remote(self, name: str) -> bool:
        made = self._endpoints.get((name, False))
        return name != OFFLINE_MODEL and (made is None or made.cacheable)
