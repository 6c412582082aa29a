"""Writes a data set's items and training sessions into a domain, all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ...data.interactions import TableOptions
from ...data.malformed import ReadReport
from ...data.negatives import NegativeSampler
from ...data.readers import CatalogueReader, open_reader
from ...data.session_file import read_sessions
from ...data.spelling import without_nameless
from ...errors import InputError
from ...knowledge.catalogue import (
    changed_items,
    item_ids,
    nameless_ids,
    refresh_popularity,
    store_items,
)
from ...knowledge.domains import Domain, claim_domain, find_domain, mark_changed
from ...knowledge.engine import unreachable
from ...knowledge.first_stages import Forgotten
from ...knowledge.hnsw_index import index_meaning
from ...knowledge.sessions.grown import count_grown, newest_key
from ...knowledge.sessions.time_order import notice_time_order
from ...knowledge.sessions.training_sessions import count_sessions, session_keys, store_sessions
from ...llm.embedding.embeddings import Embedder
from ...llm.embedding.encoder import ENCODER_ID
from ...records import Item, Session
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ...runtime.services import Services
from ..catalogue.results import Loaded
from ..first_stage.fit import refit_first_stage
from ..sessions.enough import session_advice
from .notes import grown_sessions, there_twice

_BATCH = 256
_TICK = 0.2
_Element = TypeVar("_Element")

SessionSource = Callable[[Collection[str]], Iterable[Session]]
"""Given the ids of all items, streams one file's training sessions."""


async def load(
    context: Context,
    dataset: str,
    path: Path | None,
    *,
    domain: str | None = None,
    sessions: Sequence[Path] = (),
    table: TableOptions | None = None,
    any_order: bool = False,
    skip_malformed: bool = False,
    progress: Progress = silent,
) -> Loaded:
    """Load a catalogue and its training sessions from files, all or nothing.

    Loading the same files again changes nothing. Changed rows replace title and attributes, and
    what a file no longer has stays.

    Args:
        dataset: A name in `data.readers.READERS`: `hetrec`, `movielens`, `amazon`, `jsonl` or
            `table`.
        path: The data set's folder, a JSONL file of items, or a table of interactions or items;
            `None` for sessions of items that the catalogue has, or if `table` names the items.
        domain: Its name; it is made if it is new. `None` takes the context's.
        sessions: JSONL files of training sessions; none takes the data set's own.
        table: Where the items of a `table` are, and which columns hold what.
        any_order: Treat the sessions as not in time order, even if they seem to be.
        skip_malformed: Whether to skip malformed rows.
        progress: Called with how many bytes have been read.

    Raises:
        Re2llmError: Something in the files cannot be used; nothing was stored.
    """
    report = ReadReport()
    named = path is not None or (table is not None and table != TableOptions()) or not sessions
    reader = open_reader(dataset, path, table) if named else None
    sources, total = _session_sources(reader, sessions, report)
    total += 0 if reader is None else reader.item_bytes
    options = await resolve_context(context)
    name = _own_name(options, domain)

    def advance() -> None:
        progress(f"loading {name}", report.bytes_read, total)

    ticking = asyncio.create_task(_tick(advance))
    try:
        loaded = await load_domain(
            options.services,
            name,
            () if reader is None else reader.items(report),
            sources,
            any_order=any_order,
            each_length=bool(sessions) or dataset == "jsonl",
            verify=(lambda: None) if skip_malformed else report.raise_if_malformed,
            advance=advance,
        )
    except SQLAlchemyError as error:
        raise unreachable(options.services.engine, error) from error
    finally:
        ticking.cancel()
    loaded.advice = " ".join(filter(None, [loaded.advice, await _index(options, loaded, progress)]))
    forgotten = Forgotten()
    if loaded.sessions:  # also where an interrupted run has loaded them
        _, forgotten = await refit_first_stage(replace(options, domain=name), progress=progress)
    counts = {
        "malformed": report.malformed,
        "warnings": report.warnings,
        "notes": [*report.notes, *loaded.notes],
        **forgotten.paid(),
    }
    return loaded.model_copy(update=counts)


def _session_sources(
    reader: CatalogueReader | None, files: Sequence[Path], report: ReadReport
) -> tuple[list[SessionSource], int]:
    """Return the files of sessions, or without any the data set's own, and their bytes."""
    if not files and reader is not None and reader.session_bytes:
        return [lambda known: reader.sessions(report, known)], reader.session_bytes
    sources: list[SessionSource] = [
        lambda known, file=file: read_sessions(file, report, known=known, targets=True)
        for file in files
    ]
    return sources, sum(file.stat().st_size for file in files if file.is_file())


def _own_name(options: RunOptions, domain: str | None) -> str:
    """Return the name of the domain to load.

    Raises:
        InputError: There is none, or the run may not load it.
    """
    name = domain or options.domain
    if not name:
        raise InputError("domain", "It is not named.", "Name the domain that the data is for.")
    if options.domains is not None and name not in options.domains:
        raise InputError("domain", f"You may not load {name!r}.", "Name one of your own domains.")
    return name


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


async def _index(options: RunOptions, loaded: Loaded, progress: Progress) -> str:
    """Have a large catalogue's items found by meaning quickly, or return what to do for that."""
    services = options.services
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, loaded.domain)

    def advance(done: int, total: int) -> None:
        progress(f"indexing {domain.name}", done, total)

    fault = await index_meaning(services.autocommit, domain, loaded.items, advance)
    return (
        "" if fault is None else f"Finding items by meaning will be slow, without an index: {fault}"
    )


async def _tick(advance: Callable[[], None]) -> None:
    """Show progress also while a long file is read before its first batch."""
    while True:
        await asyncio.sleep(_TICK)
        advance()


def _take(stream: Iterator[_Element]) -> list[_Element]:
    return list(islice(stream, _BATCH))


def _with_target(session: Session) -> Session:
    if session.target is None:
        raise InputError(
            "sessions", "A training session has no target.", "Give the item that came next."
        )
    return session
