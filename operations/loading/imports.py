"""Files that are sent to a server: shown first, and loaded by a job."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from ...data.jsonl import JsonlReader
from ...data.malformed import ReadReport
from ...data.parquet_rows import is_parquet
from ...data.readers import table_reader
from ...data.session_file import read_sessions
from ...data.spelling import without_nameless
from ...errors import InputError, NotThereError
from ...knowledge.catalogue import changed_items, item_ids, nameless_ids
from ...knowledge.uploads import (
    Upload,
    UploadKind,
    find_upload,
    forget_upload,
    hold_free_upload,
    mark_submitted,
    store_upload,
)
from ...records import Item, Session
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..catalogue.results import Loaded
from ..database import in_domain
from .import_results import ImportPreview
from .load_files import load_files
from .turns import in_turns
from .unpacking import BY_COMMAND, unpacked

LARGEST_UPLOAD = 8 * 2**20
"""Most bytes, as sent."""
_MOST_ITEMS = 200_000
"""Most items that a preview compares with the catalogue, in memory."""
_FIRST, _SHOWN_IDS = 10, 8
_BATCH = 1_000
_NAMES: dict[UploadKind, str] = {
    "items": "items.jsonl",
    "sessions": "sessions.jsonl",
    "table": "interactions.csv",
}
"""File names while files are read, whatever their senders call them."""
_COLUMNS = {"user", "item", "time"}
_NAMED = "Name the columns user, item and time, or use `re2llm load` on the server."


async def keep_upload(context: Context, name: str, kind: UploadKind, content: bytes) -> str:
    """Keep a file for a preview, at most an hour.

    Args:
        context: The run's options.
        name: The name that the sender gave it.
        kind: What it holds.
        content: Its bytes; they may be compressed with gzip.

    Returns:
        The file's key.

    Raises:
        Re2llmError: It is too large, or there is no such domain.
    """
    if len(content) > LARGEST_UPLOAD:
        raise InputError("file", f"It is larger than {LARGEST_UPLOAD:,} bytes.", BY_COMMAND)
    options = await resolve_context(context)
    async with in_domain(options, write=True) as (connection, domain):
        key = await store_upload(connection, domain.id, name, kind, content, source=options.source)
    return str(key)


async def preview_upload(context: Context, upload: str) -> ImportPreview:
    """Read a file to its end, and return what would be loaded; nothing changes.

    A file that a job is to load is not read. All requests that wait for the same file share one
    reading: a page that is loaded again leaves its first request behind.

    Args:
        context: The run's options.
        upload: The file's key.

    Raises:
        Re2llmError: The catalogue has no such file.
    """
    options = await resolve_context(context)

    async def read() -> ImportPreview:
        # One file of a sender is read at a time: all requests share the threads and the memory.
        async with options.services.one_at_a_time(f"preview for {options.source}".encode()):
            return await _preview(options, upload)

    key = ("preview", options.source, options.domain, options.domains, upload)
    return await options.services.reads.get(key, read)


async def _preview(options: RunOptions, upload: str) -> ImportPreview:
    async with in_domain(options) as (connection, domain):
        found = await find_upload(connection, domain.id, upload)
        known = await item_ids(connection, domain)
    shown = ImportPreview(
        upload=upload,
        name=found.name,
        kind=found.kind,
        size=len(found.content),
        taken=found.taken,
        job=found.job,
        state=found.state,
    )
    if found.taken:
        return shown
    report = ReadReport()
    try:
        # Without a connection: there are few, and a large file takes a while.
        async with _on_disk(found) as path:
            items, sessions = await in_turns(partial(_read, found.kind, path, report, known))
            shown.notes = [_without(path, note) for note in report.notes]
    except InputError as error:
        shown.refused, shown.remedy = f"{error.field} {error.problem}".strip(), error.remedy
        if error.field in _COLUMNS:  # a sender of a file cannot say which
            shown.remedy = _NAMED
        return shown
    async with in_domain(options) as (connection, domain):
        nameless = await nameless_ids(connection, domain)
        fresh = list(without_nameless(items, frozenset(known), nameless))
        for start in range(0, len(fresh), _BATCH):
            batch = fresh[start : start + _BATCH]
            shown.items_changed += len(await changed_items(connection, domain, batch))
    shown.items, shown.sessions = len(items), sessions[0]
    shown.malformed, shown.warnings = report.malformed, report.warnings
    shown.first_items = [item.title for item in fresh[:_FIRST]]
    shown.first_sessions = [
        [*one.history, *([one.target] if one.target else [])][-_SHOWN_IDS:] for one in sessions[1]
    ]
    return shown


async def submit_upload(options: RunOptions, upload: str) -> str:
    """Keep a file, at most a day, for the job that is to load it.

    Args:
        options: The run's options.
        upload: The file's key.

    Returns:
        The key, as it is stored.

    Raises:
        Re2llmError: The catalogue has no such file, or another job is to load it.
    """
    async with in_domain(options, write=True) as (connection, domain):
        found = await hold_free_upload(connection, domain.id, upload)
        await mark_submitted(connection, found.id)
    return str(found.id)


async def discard_upload(context: Context, upload: str) -> bool:
    """Delete a file that nobody wants to load.

    Args:
        context: The run's options.
        upload: The file's key.

    Returns:
        Whether it was there; else it was loaded before, or deleted.

    Raises:
        Re2llmError: A job is to load it, or there is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options, write=True) as (connection, domain):
        try:
            await hold_free_upload(connection, domain.id, upload)
        except NotThereError:
            return False
        await forget_upload(connection, domain.id, upload)
    return True


async def clear_upload(context: Context, upload: str) -> None:
    """Delete a file that its job has loaded, or cannot load, if it is there.

    Args:
        context: The run's options.
        upload: The file's key.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options, write=True) as (connection, domain):
        await forget_upload(connection, domain.id, upload)


async def load_upload(context: Context, upload: str) -> Loaded:
    """Load the usable rows of a file; a file that cannot be used is deleted.

    The caller deletes one that was loaded once it has stored that: until then it may load it again,
    which changes nothing.

    Args:
        context: The run's options.
        upload: The file's key.

    Raises:
        Re2llmError: It cannot be used; nothing was loaded.
    """
    options = await resolve_context(context)
    async with in_domain(options) as (connection, domain):
        found = await find_upload(connection, domain.id, upload)
    try:
        async with _on_disk(found) as path:
            alone = found.kind == "sessions"
            loaded = await load_files(
                context,
                "table" if found.kind == "table" else "jsonl",
                None if alone else path,
                sessions=[path] if alone else (),
                skip_malformed=True,
            )
            loaded.notes = [_without(path, note) for note in loaded.notes]
    except InputError:
        await clear_upload(context, upload)
        raise
    return loaded


@asynccontextmanager
async def _on_disk(upload: Upload) -> AsyncGenerator[Path]:
    """Yield a file's path while it is read; errors name it without its folder."""
    content = await asyncio.to_thread(unpacked, upload.content)
    with tempfile.TemporaryDirectory(prefix="re2llm-") as folder:
        path = Path(folder) / _NAMES[upload.kind]
        await asyncio.to_thread(path.write_bytes, content)
        if is_parquet(path):
            raise InputError("file", "It is a Parquet file.", BY_COMMAND)
        try:
            yield path
        except InputError as error:
            texts = (error.field, error.problem, error.remedy)
            raise InputError(*(_without(path, text) for text in texts)) from error


def _without(path: Path, text: str) -> str:
    return text.replace(f"{path.parent}/", "")


def _read(
    kind: UploadKind, path: Path, report: ReadReport, known: Collection[str]
) -> tuple[list[Item], tuple[int, list[Session]]]:
    """Return the items, and how many sessions there are with the first of them."""
    there = frozenset(known)
    if kind == "sessions":
        return [], _counted(read_sessions(path, report, known=there, targets=True))
    if kind == "items":
        return _few(JsonlReader(path).items(report)), (0, [])
    reader = table_reader(path)
    items = _few(reader.items(report))
    both = there | {item.id for item in without_nameless(items, there)}
    return items, _counted(reader.sessions(report, both))


def _few(items: Iterator[Item]) -> list[Item]:
    found = list(islice(items, _MOST_ITEMS + 1))
    if len(found) > _MOST_ITEMS:
        raise InputError("file", f"It holds more than {_MOST_ITEMS:,} items.", BY_COMMAND)
    return found


def _counted(sessions: Iterator[Session]) -> tuple[int, list[Session]]:
    first = list(islice(sessions, _FIRST))
    return len(first) + sum(1 for _ in sessions), first
