"""Which of a domain's training sessions an operation works on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ...data.malformed import ReadReport
from ...data.session_file import read_sessions
from ...errors import InputError
from ...knowledge.sessions.sources import within_share
from ...knowledge.sessions.training_sessions import session_keys, stored_keys
from ...records import Session
from ...runtime.options import RunOptions
from ..database import in_domain


async def selected_sessions(
    options: RunOptions, files: Sequence[Path] = (), keys: Sequence[int] | None = None
) -> list[int]:
    """Return the keys of the training sessions to work on, in the order they were loaded.

    Without files and keys, these are all but the surplus of any one API key, as of evidence.

    Args:
        files: Only the loaded sessions in these JSONL files; any if empty.
        keys: Only these; keys of deleted sessions are left out.

    Raises:
        InputError: A file cannot be used, or holds no loaded session.
    """
    listed = await asyncio.to_thread(_read, files)
    async with in_domain(options) as (connection, domain):
        if not files:
            every = await session_keys(connection, domain.id)
            if keys is None:
                share = options.settings.source_share
                return await within_share(connection, domain.id, every, share) or every
            among = set(keys)
            return [key for key in every if key in among]
        found = await stored_keys(connection, domain, listed)
    if not found:
        raise InputError(
            "sessions",
            f"None of these sessions is loaded in domain {options.domain!r}.",
            "Load them first: re2llm load … --sessions FILE",
        )
    return sorted(found)


def _read(files: Sequence[Path]) -> list[Session]:
    report = ReadReport()
    listed = [session for file in files for session in read_sessions(file, report)]
    report.raise_if_malformed()
    return listed
