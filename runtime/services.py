"""The database, models and caches that nodes share."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.language_models import BaseChatModel
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..errors import InputError
from ..knowledge.catalogue import all_items, catalogue_order
from ..knowledge.domains import Domain
from ..knowledge.engine import database_url, make_engine, ping
from ..knowledge.evidence import EvidenceIndex
from ..knowledge.hints import Hint
from ..knowledge.leaks.filter import LeakFilter
from ..knowledge.locks import AdvisoryLocks
from ..knowledge.migrate import upgrade
from ..knowledge.releases import Release, active_release_id, fetch_release
from ..knowledge.shortlist import fetch_embeddings
from ..knowledge.titles.search import TitleSearch
from ..knowledge.training_sessions import training_sessions
from ..llm.embeddings import Embedder, get_embedder
from ..llm.endpoint import Endpoint
from ..llm.factory import make_chat_model, model_server
from ..llm.limits import Limits
from ..settings import Settings
from .background import Background
from .budget import Budget
from .lru_cache import LRUCache

if TYPE_CHECKING:
    from ..ranking.serving import HintAndEmbedding, ServedPolicy
    from ..ranking.state import RecommendState

_CACHED_SESSIONS = 512
"""Resolved training sessions kept in memory: some 150 KB each."""
_CACHED_HINTS = 100_000
"""Embeddings kept in memory: 150 MB at most."""


@dataclass
class Services:
    """Everything that outlives a run.

    Attributes:
        settings: What it was opened with.
        engine: The database, migrated.
        embedder: The text encoder.
        owns_engine: Whether to close the engine too; a host's own is left open.
        background: What goes on beside the answers.
        resolved: Training sessions as `prepare` hands them on.
    """

    settings: Settings
    engine: AsyncEngine
    embedder: Embedder
    owns_engine: bool = True
    background: Background = field(default_factory=Background)
    resolved: LRUCache[Hashable, RecommendState] = field(
        default_factory=lambda: LRUCache[Hashable, "RecommendState"](_CACHED_SESSIONS)
    )
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
    _policies: dict[int, ServedPolicy] = field(default_factory=dict[int, "ServedPolicy"])
    _hint_embeddings: LRUCache[int, NDArray[np.float32]] = field(
        default_factory=lambda: LRUCache[int, NDArray[np.float32]](_CACHED_HINTS)
    )
    _leaks: dict[int, tuple[int, LeakFilter]] = field(
        default_factory=dict[int, tuple[int, LeakFilter]]
    )
    _titles: dict[int, tuple[int, TitleSearch]] = field(
        default_factory=dict[int, tuple[int, TitleSearch]]
    )
    _evidence_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Set the budget of learning from feedback, and what keeps processes from paying twice."""
        self.feedback_budget = Budget(max_calls=self.settings.feedback_calls)
        self.locks = AdvisoryLocks(self.engine)

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
                order = await catalogue_order(connection, domain)
                index = (
                    await asyncio.to_thread(EvidenceIndex, sessions, order, domain.recent_from)
                    if sessions
                    else None
                )
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
                _load_release, number, release, model, prompt_version
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
        kept = self._hint_embeddings
        known = {hint.id: found for hint in hints if (found := kept.get(hint.id)) is not None}
        missing = [hint.id for hint in hints if hint.id not in known]
        if missing:
            fetched = await fetch_embeddings(connection, missing)
            for number, embedding in fetched.items():
                kept.put(number, embedding)
            known |= fetched
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

    async def title_search(self, connection: AsyncConnection, domain: Domain) -> TitleSearch:
        """Return what finds items by what people call them; built anew when items change.

        Args:
            connection: An open connection.
            domain: Freshly read, for its revision.
        """
        revision, titles = self._titles.get(domain.id, (-1, None))
        if titles is None or revision != domain.revision:
            items = await all_items(connection, domain)
            titles = await asyncio.to_thread(TitleSearch, items)
            self._titles[domain.id] = (domain.revision, titles)
        return titles

    async def close(self) -> None:
        """Stop the background work and close the connections."""
        await self.background.close()
        await self.locks.close()
        if self.owns_engine:
            await self.engine.dispose()


async def open_services(settings: Settings, *, engine: AsyncEngine | None = None) -> Services:
    """Connect and migrate; nothing of it blocks the event loop.

    Args:
        settings: What to open.
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
    address = engine.url.set(drivername="postgresql+psycopg")
    await asyncio.to_thread(upgrade, address.render_as_string(hide_password=False))
    embedder = await asyncio.to_thread(get_embedder)
    return Services(settings, engine, embedder, owns_engine=given is None)


def _load_release(number: int, release: Release, model: str, prompt_version: str) -> ServedPolicy:
    from ..ranking.serving import load_release  # noqa: PLC0415  # torch takes seconds; not all serve with it

    return load_release(number, release, model, prompt_version)
