"""The database, models and caches that a process's nodes share, one set an event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from langchain_core.language_models import BaseChatModel
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..knowledge.catalogue import all_items, catalogue_order
from ..knowledge.domains import Domain
from ..knowledge.engine import database_url, make_engine, ping
from ..knowledge.evidence import EvidenceIndex
from ..knowledge.hints import Hint
from ..knowledge.leaks import LeakFilter
from ..knowledge.migrate import upgrade
from ..knowledge.releases import active_release_id, fetch_release
from ..knowledge.shortlist import fetch_embeddings
from ..knowledge.training_sessions import training_sessions
from ..llm.embeddings import Embedder, get_embedder
from ..llm.factory import make_chat_model
from ..settings import Settings, get_settings
from .serving import HintAndEmbedding, ServedPolicy, load_release

_CACHED_HINTS = 100_000
"""Embeddings kept in memory: 150 MB at most."""


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
    _policies: dict[int, ServedPolicy] = field(default_factory=dict[int, ServedPolicy])
    _hint_embeddings: dict[int, NDArray[np.float32]] = field(
        default_factory=dict[int, NDArray[np.float32]]
    )
    _leaks: dict[int, tuple[int, LeakFilter]] = field(
        default_factory=dict[int, tuple[int, LeakFilter]]
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

    def register_model(self, name: str, model: BaseChatModel) -> None:
        """Let runs use a ready-made model, such as a host's own or one with a script.

        Args:
            name: What `Context.model` or the setting `model` calls it by.
            model: Any LangChain chat model.
        """
        self._models[name] = model

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
                order = await catalogue_order(connection, domain)
                index = (
                    await asyncio.to_thread(EvidenceIndex, sessions, order) if sessions else None
                )
                self._evidence[domain.id] = (domain.revision, index)
        return index

    async def served_policy(
        self, connection: AsyncConnection, domain_id: int, model: str
    ) -> ServedPolicy | None:
        """Return a domain's active policy release, loaded once; `None` if it has none.

        Args:
            connection: An open connection.
            domain_id: Which domain.
            model: The ranking model that is to be given the hints.

        Raises:
            InputError: The release was trained for another encoder, prompt or model.
        """
        number = await active_release_id(connection, domain_id)
        if number is None:
            return None
        served = self._policies.get(number)
        if served is None or served.release.model != model:
            release = await fetch_release(connection, domain_id, number)
            served = self._policies[number] = await asyncio.to_thread(
                load_release, number, release, model
            )
        return served

    async def with_embeddings(
        self, connection: AsyncConnection, hints: Sequence[Hint]
    ) -> list[HintAndEmbedding]:
        """Return hints with their embeddings, each read once: a hint's text never changes.

        Args:
            connection: An open connection.
            hints: Any.
        """
        known = self._hint_embeddings
        missing = [hint.id for hint in hints if hint.id not in known]
        if missing:
            if len(known) + len(missing) > _CACHED_HINTS:
                known = self._hint_embeddings = {}
                missing = [hint.id for hint in hints]
            known.update(await fetch_embeddings(connection, missing))
        return [(hint, known[hint.id]) for hint in hints]

    async def leak_filter(self, connection: AsyncConnection, domain: Domain) -> LeakFilter:
        """Return the filter that knows all titles of a domain; built anew when items change.

        Args:
            connection: An open connection.
            domain: Freshly read, for its revision.
        """
        revision, leaks = self._leaks.get(domain.id, (-1, None))
        if leaks is None or revision != domain.revision:
            items = await all_items(connection, domain)
            leaks = await asyncio.to_thread(LeakFilter, items)
            self._leaks[domain.id] = (domain.revision, leaks)
        return leaks

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
