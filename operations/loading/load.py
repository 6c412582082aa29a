"""Writes items and training sessions into a domain, all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ...data.negatives import NegativeSampler
from ...data.spelling import without_nameless
from ...errors import InputError
from ...knowledge.catalogue import (
    changed_items,
    item_ids,
    nameless_ids,
    refresh_popularity,
    store_items,
)
from ...knowledge.domain_locks import hold_row
from ...knowledge.domains import Domain, claim_domain, mark_changed
from ...knowledge.sessions.grown import count_grown, newest_key
from ...knowledge.sessions.time_order import notice_time_order
from ...knowledge.sessions.training_sessions import count_sessions, session_keys, store_sessions
from ...llm.embedding.embeddings import Embedder
from ...llm.embedding.encoder import ENCODER_ID
from ...records import Item, Session
from ...runtime.services import Services
from ..catalogue.results import Loaded
from ..sessions.enough import session_advice
from .notes import grown_sessions, there_twice

_BATCH = 256
_Element = TypeVar("_Element")

SessionSource = Callable[[Collection[str]], Iterable[Session]]
"""Given the ids of all items, streams one file's training sessions."""


async def load_domain(
    services: Services,
    name: str,
    items: Iterable[Item],
    session_sources: Iterable[SessionSource],
    *,
    any_order: bool = False,
    each_length: bool = True,
    verify: Callable[[], None] = lambda: None,
    advance: Callable[[], None] = lambda: None,
) -> Loaded:
    """Load items and training sessions in one transaction.

    Args:
        items: Streamed in batches; blocking reads run in a thread.
        session_sources: One per file.
        any_order: Treat the sessions as not in time order, even if they seem to be.
        each_length: Whether a file may hold a session at every length. Else a note says how many
            new ones continue stored ones.
        verify: Called before the commit; what it raises undoes everything.
        advance: Called after each batch of items and each file of sessions.

    Raises:
        InputError: Something in the files cannot be used; nothing was stored.
    """
    async with services.engine.begin() as connection:
        domain = await claim_domain(connection, name, ENCODER_ID)
        there = frozenset(await item_ids(connection, domain))
        nameless = await nameless_ids(connection, domain)
        twice: list[tuple[str, str]] = []
        given = without_nameless(items, there, nameless, twice)
        changed = await _load_items(connection, domain, given, services.embedder, advance)
        known = frozenset(await item_ids(connection, domain))
        settings = services.settings
        sampler = NegativeSampler(known, n=settings.candidates, seed=settings.seed)
        newest = await newest_key(connection, domain.id)
        new = unusable = 0

        def usable(sessions: Iterable[Session]) -> Iterator[Session]:
            nonlocal unusable
            for session in sessions:
                if sampler.can_complete(_with_target(session)):
                    yield session
                else:
                    unusable += 1

        await hold_row(connection, domain.id)  # before its sessions, as all who observe one do
        for source in session_sources:
            new += await store_sessions(
                connection, domain, usable(source(known)), complete=sampler.with_candidates
            )
            advance()
        verify()
        if not known:
            raise InputError(
                "path", "It holds no usable item.", "Check that it is the right file or folder."
            )
        noticed = not any_order and await notice_time_order(connection, domain)
        if changed or new or noticed:
            await mark_changed(connection, domain)
        if changed or new:
            await refresh_popularity(connection, domain)
        grown = new and not each_length and await count_grown(connection, domain.id, newest)
        total = await count_sessions(connection, domain)
        recent = len(await session_keys(connection, domain.id))
    return Loaded(
        domain=name,
        items=len(known),
        items_changed=changed,
        sessions=total,
        sessions_new=new,
        sessions_recent=recent if recent < total else 0,
        sessions_unusable=unusable,
        notes=there_twice(twice) + grown_sessions(grown),
        advice=session_advice(total),
    )


async def _load_items(
    connection: AsyncConnection,
    domain: Domain,
    items: Iterable[Item],
    embedder: Embedder,
    advance: Callable[[], None],
) -> int:
    changed = 0
    stream = iter(items)
    while batch := await asyncio.to_thread(_take, stream):
        fresh = await changed_items(connection, domain, batch)
        vectors = await asyncio.to_thread(embedder.encode, [item.text for item in fresh])
        await store_items(connection, domain, fresh, vectors)
        changed += len(fresh)
        advance()
    return changed


def _take(stream: Iterator[_Element]) -> list[_Element]:
    return list(islice(stream, _BATCH))


def _with_target(session: Session) -> Session:
    if session.target is None:
        raise InputError(
            "sessions", "A training session has no target.", "Give the item that came next."
        )
    return session
