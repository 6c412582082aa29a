"""The database, models and caches that a process's nodes share, one set an event loop."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass, field

from langchain_core.language_models import BaseChatModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..knowledge.catalogue import all_items
from ..knowledge.domains import Domain
from ..knowledge.engine import database_url, make_engine, ping
from ..knowledge.evidence import EvidenceIndex
from ..knowledge.leaks import LeakFilter
from ..knowledge.migrate import upgrade
from ..knowledge.releases import active_release_id, fetch_release
from ..knowledge.training_sessions import training_sessions
from ..llm.embeddings import Embedder, get_embedder
from ..llm.endpoint import Endpoint
from ..llm.factory import make_chat_model, model_server
from ..llm.limits import Limits
from ..settings import Settings, get_settings
from .serving import ServedPolicy, load_release


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
    _endpoints: dict[tuple[str, bool], Endpoint] = field(
        default_factory=dict[tuple[str, bool], Endpoint]
    )
    _limits: Limits | None = None
    _asking: weakref.WeakValueDictionary[bytes, asyncio.Lock] = field(
        default_factory=weakref.WeakValueDictionary[bytes, asyncio.Lock]
    )
    _evidence: dict[int, tuple[int, EvidenceIndex | None]] = field(
        default_factory=dict[int, tuple[int, EvidenceIndex | None]]
    )
    _policies: dict[int, ServedPolicy] = field(default_factory=dict[int, ServedPolicy])
    _leaks: dict[int, tuple[int, LeakFilter]] = field(
        default_factory=dict[int, tuple[int, LeakFilter]]
    )
    _evidence_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

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

    def register_model(self, name: str, model: BaseChatModel) -> None:
        """Let runs use a ready-made model, such as a host's own or one with a script.

        Args:
            name: What `Context.model` or the setting `model` calls it by.
            model: Any LangChain chat model; its own retries should be off.
        """
        made = Endpoint(name, model, self._shared_limits(), self.settings)
        self._endpoints[name, False] = self._endpoints[name, True] = made

    def one_at_a_time(self, key: bytes) -> asyncio.Lock:
        """Return the lock of a prompt, so that it is not paid twice at the same time.

        Args:
            key: Of the prompt.
        """
        return self._asking.setdefault(key, asyncio.Lock())

    def _shared_limits(self) -> Limits:
        if self._limits is None:
            self._limits = Limits(self.settings.model_concurrency, self.settings.model_rate)
        return self._limits

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

    async def served_policy(
        self, connection: AsyncConnection, domain_id: int, model: str, prompt_version: str
    ) -> ServedPolicy | None:
        """Return a domain's active policy release, loaded once; `None` if it has none.

        Args:
            connection: An open connection.
            domain_id: Which domain.
            model: The ranking model that is to be given the hints.
            prompt_version: Of the prompt that is to hold them.

        Raises:
            InputError: The release was trained for another encoder, prompt or model.
        """
        number = await active_release_id(connection, domain_id)
        if number is None:
            return None
        served = self._policies.get(number)
        fits = served is not None and (model, prompt_version) == (
            served.release.model,
            served.release.prompt_version,
        )
        if served is None or not fits:
            release = await fetch_release(connection, domain_id, number)
            served = self._policies[number] = await asyncio.to_thread(
                load_release, number, release, model, prompt_version
            )
        return served

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
