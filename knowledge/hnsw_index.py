"""Builds the index by which a large catalogue is searched by meaning.

One index over all catalogues would serve none of them well: its scan meets the items of the others
first, and may end before it has met enough of a small one's. So each large catalogue has a partial
one, built when it is loaded: filled row by row, an index takes hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from .autocommit import Autocommit
from .domains import Domain, meaning_index
from .schema.embedding_column import EMBEDDING_DIM
from .schema.tables import SCHEMA

LARGE = 20_000
"""A catalogue with this many items or more gets an index; scanning as many takes some 20 ms."""
_BYTES_AN_ITEM = 2_500
_LEAST_MEMORY, _MOST_MEMORY = 64 * 2**20, 4 * 2**30
_TICK = 1.0
_PROGRESS = text("""
    SELECT blocks_done, blocks_total FROM pg_stat_progress_create_index
    WHERE relid = 're2llm.item'::regclass AND datname = current_database()
""")


async def index_meaning(
    database: Autocommit,
    domain: Domain,
    items: int,
    advance: Callable[[int, int], None],
) -> str | None:
    """Build the index of a catalogue, if it is large and has none. Others may read meanwhile.

    Args:
        database: Connections that commit each statement.
        domain: The domain.
        items: How many it has.
        advance: Called with how many blocks of the table have been read, and how many there are.

    Returns:
        If it was not built, why, and what the owner of the tables can run; else `None`.

    Raises:
        DBAPIError: The connection was lost.
    """
    if items < LARGE:
        return None
    name = meaning_index(domain.id)
    memory = min(max(items * _BYTES_AN_ITEM, _LEAST_MEMORY), _MOST_MEMORY) // 1024
    watching = asyncio.create_task(_watch(database, advance))
    try:
        async with database.connect() as connection:
            while not await _is_valid(connection, name):
                # Two builds on one table wait for each other until PostgreSQL ends one of them.
                if (await connection.execute(_PROGRESS)).first() is None:
                    fault = await _build(connection, name, domain, memory)
                    if fault is not None:
                        return fault
                else:
                    await asyncio.sleep(_TICK)
    finally:
        watching.cancel()
    return None


async def _build(connection: AsyncConnection, name: str, domain: Domain, memory: int) -> str | None:
    """Build an index; what an interrupted build has left goes first.

    Args:
        memory: Memory for the build, in kB.

    Returns:
        Why this cannot be done, and what the owner of the tables can run. `None` if it is done, or
        another load was quicker.

    Raises:
        DBAPIError: The connection was lost.
    """
    # Numbers and names of ours; PostgreSQL takes no parameters here.
    build = (
        f"CREATE INDEX CONCURRENTLY {name} ON {SCHEMA}.item USING hnsw "
        f"((embedding::halfvec({EMBEDDING_DIM})) halfvec_cosine_ops) WHERE domain_id = {domain.id}"
    )
    try:
        await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{name}"))
        await connection.execute(text(f"SET maintenance_work_mem = {memory}"))
        await connection.execute(text(build))
    except DBAPIError as error:
        if isinstance(error.orig, errors.DuplicateTable | errors.DeadlockDetected):
            return None
        if error.connection_invalidated:
            raise
        return f"{error.orig} Have the owner of the tables run: {build};"
    finally:
        with suppress(DBAPIError):
            await connection.execute(text("RESET maintenance_work_mem"))
    return None


async def drop_meaning_index(database: Autocommit, domain: Domain) -> None:
    """Drop the index of a deleted catalogue. One that stays does no harm: it is empty.

    Args:
        database: Connections that commit each statement.
    """
    if domain.indexed:
        drop = f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{meaning_index(domain.id)}"
        with suppress(DBAPIError):
            async with database.connect() as connection:
                await connection.execute(text(drop))


async def _is_valid(connection: AsyncConnection, name: str) -> bool:
    """Return whether there is an index of this name that can be used."""
    found = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
    return bool(await connection.scalar(text(found), {"name": f"{SCHEMA}.{name}"}))


async def _watch(database: Autocommit, advance: Callable[[int, int], None]) -> None:
    async with database.connect() as connection:
        while True:
            row = (await connection.execute(_PROGRESS)).first()
            if row is not None and row[1]:
                advance(row[0], row[1])
            await asyncio.sleep(_TICK)
