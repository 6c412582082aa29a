"""Connections that commit each statement, and those that do not, whatever a host's engine does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_TRANSACTIONS, _EACH = "READ COMMITTED", "AUTOCOMMIT"
_LEVEL = "isolation_level"


class Autocommit:
    """The connections of an engine, on which each statement is its own transaction.

    It spares a request the round trips of beginning and ending one.

    Args:
        engine: Any over psycopg 3.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Of engines that were made from each other, the first one's level counts.
        has_level = _LEVEL in engine.get_execution_options()
        self._made = None if has_level else engine.execution_options(**{_LEVEL: _EACH})

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Return a connection, to enter."""
        return self._with_level_set() if self._made is None else self._made.connect()

    @asynccontextmanager
    async def _with_level_set(self) -> AsyncGenerator[AsyncConnection]:
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level=_EACH)
            yield connection


async def in_transactions(engine: AsyncEngine) -> AsyncEngine | None:
    """Return a host's engine, with transactions if its connections commit each statement.

    What is stored as a whole or not at all needs them. The host's own use of its connections stays
    as it is.

    Args:
        engine: Any over psycopg 3.

    Returns:
        `None` if no engine made from it has transactions, by an option that counts first.
    """
    async with engine.connect() as connection:
        if not await _commits_each(connection):
            return engine
    made = engine.execution_options(isolation_level=_TRANSACTIONS)
    async with made.connect() as connection:
        if await _commits_each(connection):
            return None
        event.listen(engine.sync_engine.pool, "checkin", _commit_each)
    return made


async def _commits_each(connection: AsyncConnection) -> bool:
    lent = await connection.get_raw_connection()
    return lent.driver_connection is not None and bool(lent.driver_connection.autocommit)


def _commit_each(connection: Any, _: object) -> None:
    """Give a connection back as it was lent, which SQLAlchemy does only for levels of its own."""
    if connection is not None:  # a lost one
        connection.autocommit = True
