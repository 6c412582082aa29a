"""Loads a catalogue and its training sessions from files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ...data.interactions import TableOptions, TableReader
from ...data.malformed import ReadReport
from ...data.readers import CatalogueReader, open_reader
from ...data.session_file import read_sessions
from ...errors import InputError
from ...knowledge.domains import find_domain
from ...knowledge.engine import unreachable
from ...knowledge.first_stages import Forgotten
from ...knowledge.hnsw_index import index_meaning
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..catalogue.results import Loaded
from ..first_stage.fit import refit_first_stage
from .load import SessionSource, load_domain

_TICK = 0.2


async def load_files(
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
    if sessions and isinstance(reader, TableReader):
        reader.own_sessions = False
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
