"""Writes a data set's items and training sessions into a domain, all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ..data.negatives import NegativeSampler
from ..errors import InputError
from ..knowledge.catalogue import changed_items, item_ids, refresh_popularity, store_items
from ..knowledge.domains import Domain, claim_domain, mark_changed
from ..knowledge.time_order import notice_time_order
from ..knowledge.training_sessions import count_sessions, session_keys, store_sessions
from ..llm.embeddings import ENCODER_ID, Embedder
from ..records import Item, Session
from ..runtime.services import Services

_BATCH = 256
_Element = TypeVar("_Element")

SessionSource = Callable[[Collection[str]], Iterable[Session]]
"""Given the ids of all items, streams one file's training sessions."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.

    Attributes:
        items: Items in the domain now.
        items_changed: Of those, new or changed ones.
        sessions: Training sessions in the domain now.
        sessions_new: Of those, new ones.
        sessions_recent: Of all, the recent ones; 0 if their order tells no time.
    """

    items: int
    items_changed: int
    sessions: int
    sessions_new: int
    sessions_recent: int


async def load_domain(
    services: Services,
    name: str,
    items: Iterable[Item],
    session_sources: Iterable[SessionSource],
    *,
    any_order: bool = False,
    verify: Callable[[], None] = lambda: None,
) -> Loaded:
    """Load items and training sessions in one transaction.

    Args:
        services: Database and encoder.
        name: The domain, made if it is new.
        items: Streamed in batches; blocking reads run in a thread.
        session_sources: One a file.
        any_order: Whether the sessions' order tells no time, whatever it looks like.
        verify: Called before the commit; what it raises undoes everything.

    Raises:
        InputError: Something in the files cannot be used; nothing was stored.
    """
    async with services.engine.begin() as connection:
        domain = await claim_domain(connection, name, ENCODER_ID)
        changed = await _load_items(connection, domain, items, services.embedder)
        known = frozenset(await item_ids(connection, domain))
        count = min(services.settings.candidates, max(2, len(known) // 2))
        sampler = NegativeSampler(known, n=count, seed=services.settings.seed)
        new = 0
        for source in session_sources:
            sessions = await asyncio.to_thread(lambda: [_with_target(s) for s in source(known)])  # noqa: B023
            new += await store_sessions(
                connection, domain, sessions, complete=sampler.with_candidates
            )
        verify()
        if not known:
            raise InputError("path", "It holds no item that can be used.", "Is it the right one?")
        if changed or new:
            await refresh_popularity(connection, domain)
        noticed = not any_order and await notice_time_order(connection, domain)
        if changed or new or noticed:
            await mark_changed(connection, domain)
        total = await count_sessions(connection, domain)
        recent = len(await session_keys(connection, domain.id))
    return Loaded(len(known), changed, total, new, recent if recent < total else 0)


async def _load_items(
    connection: AsyncConnection, domain: Domain, items: Iterable[Item], embedder: Embedder
) -> int:
    changed = 0
    stream = iter(items)
    while batch := await asyncio.to_thread(_take, stream):
        fresh = await changed_items(connection, domain, batch)
        vectors = await asyncio.to_thread(embedder.encode, [item.text for item in fresh])
        await store_items(connection, domain, fresh, vectors)
        changed += len(fresh)
    return changed


def _take(stream: Iterator[_Element]) -> list[_Element]:
    return list(islice(stream, _BATCH))


def _with_target(session: Session) -> Session:
    if session.target is None:
        raise InputError(
            "sessions", "A training session has no target.", "Give the item that came next."
        )
    return session
