"""The database, models and caches that nodes share."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import weakref
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from cachetools import LRUCache
from langchain_core.language_models import BaseChatModel
from numpy.typing import NDArray
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..errors import InputError
from ..knowledge.engine import database_url, make_engine, ping
from ..knowledge.exposures import Exposure, log_exposures
from ..knowledge.locks import AdvisoryLocks
from ..knowledge.logprobs import find_logprobs, store_logprobs
from ..knowledge.migrate import migrate
from ..knowledge.recommendations import Recommendation, log_recommendations
from ..llm.embeddings import Embedder, get_embedder
from ..llm.endpoint import Endpoint
from ..llm.factory import make_chat_model, model_server
from ..llm.limits import Limits
from ..records import Item
from ..settings import OFFLINE_MODEL, Settings
from .background import Background
from .budget import Budget
from .caches import Kept, VersionedCache
from .together import GroupedWrites, SharedReads

Answered = tuple[Recommendation, Exposure | None]
"""What was recommended, and which release of a rollout served."""

_Value = TypeVar("_Value")

_log = logging.getLogger(__name__)
_CACHED_SESSIONS = 512
"""Resolved training sessions kept in memory: some 150 KB each."""
_CACHED_ITEMS = 20_000
"""With their embeddings, some 60 MB at most."""
_CACHED_VECTORS = 2**29
"""Bytes of whole catalogues' embeddings: of some 17 of 20,000 items, or more smaller ones."""
_CACHED_HINTS = 100_000
"""Embeddings kept in memory: 150 MB at most."""
_COMPARING = 4
"""Requests that compare titles at the same time, of one owner half of them."""


@dataclass
class Services:
    """Everything that outlives a run.

    Attributes:
        settings: What it was opened with.
        engine: The database, migrated.
        autocommit: The same connections, on which each statement is its own transaction; spares
            a request the round trips of beginning and ending one.
        embedder: The text encoder.
        owns_engine: Whether to close the engine too; a host's own is left open.
        background: What goes on beside the answers.
        watching: Looks at rollouts, which must not wait for what learns.
        looks: When each rollout may be looked at again, by `time.monotonic`.
        look_times: Seconds that the last look at each rollout took.
        versions: What is kept in memory until its source changes; see `domain_cache`.
        reads: What many tasks read at the same time.
        answered: Logs what was recommended.
        resolved: Training sessions as `prepare` hands them on.
        vectors: The embeddings of whole catalogues, likewise, as far as there is room.
        items: Items with their embeddings, by domain, its revision, and id.
        hint_embeddings: By domain and hint, shape `[384]` each; a hint's text never changes.
        comparing: Places for comparing words with every title of a catalogue, and encoding them:
            one owner's words leave room for others'.
        today: The day (UTC) that autopilots' budgets count by; `None` for the database's own.
            A simulation puts a faster clock here.
    """

    settings: Settings
    engine: AsyncEngine
    embedder: Embedder
    owns_engine: bool = True
    background: Background = field(default_factory=Background)
    watching: Background = field(default_factory=Background)
    looks: dict[int, float] = field(default_factory=dict[int, float])
    look_times: dict[int, float] = field(default_factory=dict[int, float])
    versions: VersionedCache = field(default_factory=VersionedCache)
    vectors: VersionedCache = field(default_factory=lambda: VersionedCache(_room_for_vectors()))
    reads: SharedReads = field(default_factory=SharedReads)
    resolved: LRUCache[Hashable, Any] = field(
        default_factory=lambda: LRUCache[Hashable, Any](_CACHED_SESSIONS)
    )
    items: LRUCache[tuple[int, int, str], tuple[Item, NDArray[np.float32]]] = field(
        default_factory=lambda: LRUCache[tuple[int, int, str], tuple[Item, NDArray[np.float32]]](
            _CACHED_ITEMS
        )
    )
    hint_embeddings: LRUCache[tuple[int, int], NDArray[np.float32]] = field(
        default_factory=lambda: LRUCache[tuple[int, int], NDArray[np.float32]](_CACHED_HINTS)
    )
    comparing: Limits = field(default_factory=lambda: Limits(_COMPARING, None))
    today: Callable[[], dt.date | None] = lambda: None
    _endpoints: dict[tuple[str, bool], Endpoint] = field(
        default_factory=dict[tuple[str, bool], Endpoint]
    )
    _limits: Limits | None = None
    _logprobs: dict[str, bool | None] = field(default_factory=lambda: {OFFLINE_MODEL: True})
    _asking: weakref.WeakValueDictionary[bytes, asyncio.Lock] = field(
        default_factory=weakref.WeakValueDictionary[bytes, asyncio.Lock]
    )

    def __post_init__(self) -> None:
        """Set the budget of learning from feedback, and what keeps processes from paying twice."""
        self.feedback_budget = Budget(max_calls=self.settings.feedback_calls)
        self.locks = AdvisoryLocks(self.engine)
        self.autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.answered = GroupedWrites(self._log, (IntegrityError, DataError))

    async def endpoint(self, name: str, *, reflects: bool = False) -> Endpoint:
        """Return the chat model of a name, made once, with its retries and limits.

        Args:
            name: As in the setting `model`.
            reflects: As the reflecting model, which may have a server and a key of its own.

        Raises:
            InputError: It cannot be made.
        """
        settings = self.settings
        own = reflects and bool(settings.reflect_base_url or settings.reflect_api_key)
        if (name, own) not in self._endpoints:
            model = await asyncio.to_thread(make_chat_model, settings, name, reflects=own)
            server = model_server(settings, reflects=own)
            made = Endpoint(
                name, model, self._shared_limits(), settings, server=server, cacheable=True
            )
            self._endpoints.setdefault((name, own), made)
        return self._endpoints[name, own]

    async def read_once(
        self, key: Hashable, read: Callable[[AsyncConnection], Awaitable[_Value]]
    ) -> _Value:
        """Read from the database, once for all who ask for the same at the same time.

        Args:
            key: Of what is read.
            read: Reads it on a connection; what it returns is shared, and must not be changed.
        """

        async def connected() -> _Value:
            async with self.autocommit.connect() as connection:
                return await read(connection)

        return await self.reads.get(key, connected)

    def register_model(self, name: str, model: BaseChatModel) -> None:
        """Let runs use a ready-made model, such as a host's own or one with a script.

        Args:
            name: What `Context.model` or the setting `model` calls it by.
            model: Any LangChain chat model; its own retries should be off.
        """
        made = Endpoint(name, model, self._shared_limits(), self.settings)
        self._endpoints[name, False] = self._endpoints[name, True] = made

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
                async with self.engine.connect() as connection:
                    known = await find_logprobs(connection, name, model_server(self.settings))
            except (OSError, SQLAlchemyError) as error:
                _log.warning("what is known of %s was not read: %s", name, type(error).__name__)
        self._logprobs.setdefault(name, known)

    async def note_logprobs(self, name: str, *, given: bool, keep: bool = True) -> None:
        """Remember whether a model gives log-probabilities.

        Args:
            keep: Whether later processes shall know, too.
        """
        news = self._logprobs.get(name) != given
        self._logprobs[name] = given
        if not news or not keep or not self._is_remote(name):
            return
        try:
            async with self.engine.begin() as connection:
                await store_logprobs(connection, name, model_server(self.settings), given=given)
        except (OSError, SQLAlchemyError) as error:
            _log.warning("what was found of %s was not kept: %s", name, type(error).__name__)

    async def _log(self, answered: Sequence[Answered]) -> None:
        exposures = {made.id: exposure for made, exposure in answered if exposure is not None}
        # Of several rows, all are stored or none; one alone is spared a transaction.
        alone = len(answered) == 1 and not exposures
        opened = self.autocommit.connect() if alone else self.engine.begin()
        # Waiting for a connection is not counted: where many requests share a few, it may be long.
        async with opened as connection, asyncio.timeout(self.settings.database_timeout):
            await log_recommendations(connection, [made for made, _ in answered])
            if exposures:
                await log_exposures(connection, exposures)

    def _is_remote(self, name: str) -> bool:
        made = self._endpoints.get((name, False))
        return name != OFFLINE_MODEL and (made is None or made.cacheable)

    def one_at_a_time(self, key: bytes) -> asyncio.Lock:
        """Return the lock of a prompt, so that it is not paid for twice at the same time."""
        return self._asking.setdefault(key, asyncio.Lock())

    def _shared_limits(self) -> Limits:
        if self._limits is None:
            self._limits = Limits(self.settings.model_concurrency, self.settings.model_rate)
        return self._limits

    async def close(self) -> None:
        """Stop the background work and close the connections."""
        await self.background.close()
        await self.watching.close()
        await self.locks.close()
        if self.owns_engine:
            await self.engine.dispose()


def _room_for_vectors() -> Kept:
    return LRUCache(_CACHED_VECTORS, lambda kept: 1 if kept[1] is None else kept[1].nbytes)


async def open_services(settings: Settings, *, engine: AsyncEngine | None = None) -> Services:
    """Connect and migrate; nothing of it blocks the event loop.

    Args:
        engine: A host's own, over psycopg 3, to use instead of opening one.

    Raises:
        DatabaseError: The database cannot be reached or started.
        InputError: The host's engine does not use psycopg.
    """
    given = engine
    if engine is not None and not engine.dialect.driver.startswith("psycopg"):
        raise InputError(
            "engine",
            f"Its driver is {engine.dialect.driver}.",
            "Make it with create_async_engine('postgresql+psycopg://…'), or hand over a URL.",
        )
    if engine is None:
        url = await asyncio.to_thread(database_url, settings)
        engine = await asyncio.to_thread(make_engine, url, settings)
    await ping(engine, settings)
    await migrate(engine)
    embedder = await asyncio.to_thread(get_embedder)
    return Services(settings, engine, embedder, owns_engine=given is None)
