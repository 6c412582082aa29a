"""The database, models and caches that a process's nodes share, one set an event loop."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass, field

from langchain_core.language_models import BaseChatModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..knowledge.domains import Domain
from ..knowledge.engine import database_url, make_engine, ping
from ..knowledge.evidence import EvidenceIndex
from ..knowledge.migrate import upgrade
from ..knowledge.training_sessions import training_sessions
from ..llm.embeddings import Embedder, get_embedder
from ..llm.factory import make_chat_model
from ..settings import Settings, get_settings


@dataclass
class Services:
    """Everything that outlives a run.

    Attributes:
        settings: What it was opened with.
        engine: The database, migrated.
        embedder: The text encoder.
    """

    settings: Settings
    engine: AsyncEngine
    embedder: Embedder
    _models: dict[str, BaseChatModel] = field(default_factory=dict[str, BaseChatModel])
    _evidence: dict[int, tuple[int, EvidenceIndex | None]] = field(
        default_factory=dict[int, tuple[int, EvidenceIndex | None]]
    )
    _evidence_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def model(self, name: str) -> BaseChatModel:
        """Return the chat model of a name, made once.

        Args:
            name: As in the setting `model`.

        Raises:
            InputError: It cannot be made.
        """
        if name not in self._models:
            self._models[name] = await asyncio.to_thread(make_chat_model, self.settings, name)
        return self._models[name]

    async def evidence(self, connection: AsyncConnection, domain: Domain) -> EvidenceIndex | None:
        """Return the evidence of a domain's training sessions; built anew when they change.

        Args:
            connection: An open connection.
            domain: Freshly read, for its revision.

        Returns:
            `None` where there are no training sessions.
        """
        async with self._evidence_lock:
            revision, index = self._evidence.get(domain.id, (-1, None))
            if revision != domain.revision:
                sessions = await training_sessions(connection, domain)
                index = await asyncio.to_thread(EvidenceIndex, sessions) if sessions else None
                self._evidence[domain.id] = (domain.revision, index)
        return index

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


async def open_services(settings: Settings) -> Services:
    """Connect, migrate and load the encoder; nothing of it blocks the event loop.

    Args:
        settings: What to open.

    Raises:
        DatabaseError: The database cannot be reached or started.
    """
    url = await asyncio.to_thread(database_url, settings)
    engine = await asyncio.to_thread(make_engine, url, settings)
    await ping(engine, settings)
    await asyncio.to_thread(upgrade, url)
    embedder = await asyncio.to_thread(get_embedder)
    return Services(settings, engine, embedder)


_Loop = asyncio.AbstractEventLoop
_opened: weakref.WeakKeyDictionary[_Loop, asyncio.Task[Services]] = weakref.WeakKeyDictionary()


async def shared_services() -> Services:
    """Return this event loop's services, opened on first use and shared from then on.

    Raises:
        DatabaseError: The database cannot be reached or started; the next call tries again.
    """
    loop = asyncio.get_running_loop()
    task = _opened.get(loop)
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        task = _opened[loop] = loop.create_task(_open())
    # One run's cancellation must not cancel the opening that others wait for.
    return await asyncio.shield(task)


async def close_shared_services() -> None:
    """Close this event loop's services, if they are open."""
    task = _opened.pop(asyncio.get_running_loop(), None)
    if task is not None:
        await (await task).close()


async def _open() -> Services:
    return await open_services(await asyncio.to_thread(get_settings))
