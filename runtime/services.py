"""The database, models and caches that nodes share."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..errors import InputError
from ..knowledge.autocommit import Autocommit, in_transactions
from ..knowledge.engine import database_url, make_engine, ping
from ..knowledge.locks import AdvisoryLocks
from ..knowledge.migrate import migrate
from ..llm.client.limits import Limits
from ..llm.embedding.embeddings import Embedder, get_embedder
from ..settings import Settings
from .background import Background
from .budget import Budget
from .caches import Caches
from .chat_models import ChatModels
from .coalescing import SharedReads
from .recommendation_log import recommendation_log

_Value = TypeVar("_Value")

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
        models: The chat models.
        owns_engine: Whether to close the engine too; a host's own is left open.
        background: Jobs that run while requests are answered.
        watching: Looks at rollouts, which must not wait for what learns.
        looks: When each rollout may be looked at again, by `time.monotonic`.
        look_times: Seconds that the last look at each rollout took.
        deciding_owners: Owners that would have decided each rollout alone, as last logged.
        caches: What is kept in memory.
        reads: What many tasks read at the same time.
        answered: Logs what was recommended.
        comparing: Places for comparing words with every title of a catalogue, and encoding them:
            one owner's words leave room for others'.
    """

    settings: Settings
    engine: AsyncEngine
    embedder: Embedder
    owns_engine: bool = True
    background: Background = field(default_factory=Background)
    watching: Background = field(default_factory=Background)
    looks: dict[int, float] = field(default_factory=dict[int, float])
    look_times: dict[int, float] = field(default_factory=dict[int, float])
    deciding_owners: dict[int, str] = field(default_factory=dict[int, str])
    caches: Caches = field(default_factory=Caches)
    reads: SharedReads = field(default_factory=SharedReads)
    comparing: Limits = field(default_factory=lambda: Limits(_COMPARING, None))
    _asking: weakref.WeakValueDictionary[bytes, asyncio.Lock] = field(
        default_factory=weakref.WeakValueDictionary[bytes, asyncio.Lock]
    )

    def __post_init__(self) -> None:
        """Set up what works by the settings and the database."""
        self.models = ChatModels(lambda: self.settings, self.engine)
        self.feedback_budget = Budget(max_llm_calls=self.settings.feedback_calls)
        self.locks = AdvisoryLocks(self.engine)
        self.autocommit = Autocommit(self.engine)
        self.answered = recommendation_log(self.engine, lambda: self.settings.database_timeout)

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

    def one_at_a_time(self, key: bytes) -> asyncio.Lock:
        """Return the lock of a prompt, so that it is not paid for twice at the same time."""
        return self._asking.setdefault(key, asyncio.Lock())

    async def close(self) -> None:
        """Stop the background work and the reads under way, and close the connections."""
        await self.reads.close()
        await self.background.close()
        await self.watching.close()
        await self.models.close()
        await self.locks.close()
        if self.owns_engine:
            await self.engine.dispose()

    async def abandon(self) -> None:
        """Close the connections from another event loop, after their own has ended."""
        await self.locks.abandon()
        if self.owns_engine:
            await self.engine.dispose()  # which of psycopg's connections needs no loop


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
            "database",
            f"Its driver is {engine.dialect.driver}.",
            "Make it with create_async_engine('postgresql+psycopg://…'), or hand over a URL.",
        )
    if engine is not None:
        await ping(engine, settings)
        engine = await in_transactions(engine)
    owns = engine is None
    if engine is None:
        url = given.url if given is not None else await asyncio.to_thread(database_url, settings)
        engine = await asyncio.to_thread(make_engine, url, settings)
        await ping(engine, settings)
    await migrate(engine)
    embedder = await asyncio.to_thread(get_embedder)
    return Services(settings, engine, embedder, owns_engine=owns)
