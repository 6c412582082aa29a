"""Which of a domain's training sessions a command works on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..data.malformed import ReadReport
from ..data.session_file import read_sessions
from ..errors import InputError
from ..knowledge.domains import find_domain
from ..knowledge.training_sessions import session_keys, stored_keys
from ..records import Session
from ..runtime.services import Services


async def selected_sessions(services: Services, domain: str, files: list[Path]) -> list[int]:
    """Return the keys of the training sessions to learn from, in the order they were loaded.

    Args:
        services: The database.
        domain: The catalogue.
        files: Only the loaded sessions that these files hold; empty for all.

    Raises:
        InputError: A file cannot be used, or holds no loaded session.
    """
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        if not files:
            return await session_keys(connection, found.id)
        listed = await asyncio.to_thread(_read, files)
        wanted = await stored_keys(connection, found, listed)
    if not wanted:
        raise InputError(
            "--sessions",
            f"None of these sessions is loaded in domain {domain!r}.",
            "Load them first: re2llm load … --sessions FILE",
        )
    return sorted(wanted)


def _read(files: list[Path]) -> list[Session]:

    report = ReadReport()
    listed = [session for file in files for session in read_sessions(file, report)]
    report.raise_if_malformed()
    return listed
