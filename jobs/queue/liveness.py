"""Tells which workers live: each holds an advisory lock, which the server frees when it is gone.

The lock is a transaction's, in a transaction that stays open: behind a pooler, a session's lock
would stay with the pooled connection. Its last statement is always one without a snapshot, so that
the transaction keeps no dead row alive.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...knowledge.jobs.jobs import other_versions
from .code_version import code_version

_NO_WORKER = "No worker is running: `re2llm worker` starts one, which does the work."
_WORKERS = 0x726535
_SETTINGS = (
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # A machine that lost its power closes nothing: the server then asks after a minute.
    "SET LOCAL tcp_keepalives_idle = 30",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 3",
)
_CLAIM = text("SELECT pg_try_advisory_xact_lock(:space, :key)")
_HELD = text(
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = :space "
    "AND objsubid = 2 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Pulse:
    """The lock of this worker.

    Args:
        engine: Gives the connection, which is used for nothing else.
        worker: The worker's name.
    """

    def __init__(self, engine: AsyncEngine, worker: str) -> None:
        self._engine = engine
        self._worker = worker
        self._connection: AsyncConnection | None = None

    async def beat(self) -> bool:
        """Hold the lock, and return whether it is held: not while the database is away."""
        try:
            if self._connection is None:
                return await self._hold()
            await self._connection.execute(text(_SETTINGS[0]))
        except (OSError, SQLAlchemyError):
            await self.stop()
            return False
        return True

    async def stop(self) -> None:
        """Give the lock back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.invalidate()
            finally:
                await connection.close()

    async def _hold(self) -> bool:
        self._connection = await self._engine.connect()
        claim = {"space": _WORKERS, "key": _key(self._worker)}
        if not await self._connection.scalar(_CLAIM, claim):
            await self.stop()  # the server has not noticed yet that the last connection broke
            return False
        for setting in _SETTINGS:
            await self._connection.execute(text(setting))
        return True


async def gone(connection: AsyncConnection, workers: Iterable[str]) -> set[str]:
    """Return which workers hold no lock."""
    held = set(await connection.scalars(_HELD, {"space": _WORKERS}))
    return {worker for worker in workers if _key(worker) not in held}


async def anyone(connection: AsyncConnection) -> bool:
    """Return whether any worker lives."""
    return bool((await connection.scalars(_HELD, {"space": _WORKERS})).first())


async def what_is_missing(connection: AsyncConnection) -> str:
    """Say which worker has to be started for work to go on; empty if one lives."""
    if await anyone(connection):
        return ""
    version = await asyncio.to_thread(code_version)
    others = await other_versions(connection, version)
    if not others:
        return _NO_WORKER
    return (
        f"No worker is running. One of this version, {version}, would refuse to start: running "
        f"jobs are of {', '.join(others)}. Start a worker of that version, or move them to this "
        "one with `re2llm jobs pause` and `re2llm jobs resume`."
    )


def _key(worker: str) -> int:
    return int.from_bytes(hashlib.sha256(worker.encode()).digest()[:4], "big") >> 1
