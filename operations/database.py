"""Connections for the operations. A lost database becomes a `DatabaseError`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.domains import Domain, find_domain
from ..knowledge.engine import unreachable
from ..runtime.options import RunOptions


@asynccontextmanager
async def connected(options: RunOptions, *, write: bool = False) -> AsyncGenerator[AsyncConnection]:
    """Yield a connection; with `write`, in a transaction that commits at the end.

    Raises:
        DatabaseError: The database failed, at any point.
    """
    engine = options.services.engine
    try:
        async with engine.begin() if write else engine.connect() as connection:
            yield connection
    except (OSError, SQLAlchemyError) as error:
        raise unreachable(engine, error) from error


@asynccontextmanager
async def in_domain(
    options: RunOptions, name: str | None, *, write: bool = False
) -> AsyncGenerator[tuple[AsyncConnection, Domain]]:
    """Yield a connection and a domain that the run may use; `None` names the run's own.

    Raises:
        InputError: There is no such domain.
        DatabaseError: The database failed, at any point.
    """
    async with connected(options, write=write) as connection:
        found = await find_domain(connection, name or options.domain, among=options.domains)
        yield connection, found
