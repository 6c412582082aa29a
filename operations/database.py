"""Connections for the operations. A lost database becomes a `DatabaseError`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.domains import Domain, find_domain
from ..knowledge.engine import unreachable
from ..runtime.context import Context
from ..runtime.options import RunOptions, resolve_context


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
            if not write:  # a rollback would make psycopg forget what is prepared
                await connection.commit()
    except (OSError, SQLAlchemyError) as error:
        raise unreachable(engine, error) from error


@asynccontextmanager
async def in_domain(
    options: RunOptions, name: str | None = None, *, write: bool = False
) -> AsyncGenerator[tuple[AsyncConnection, Domain]]:
    """Yield a connection and a domain that the run may use; `None` names the run's own.

    That is the context's, the settings', or the only one there is.

    Raises:
        InputError: There is no such domain.
        DatabaseError: The database failed, at any point.
    """
    async with connected(options, write=write) as connection:
        found = await find_domain(connection, name or options.domain, among=options.domains)
        yield connection, found


async def find_run_domain(options: RunOptions, name: str | None = None) -> Domain:
    """Return a domain that the run may use, without holding a connection; see `in_domain`.

    Raises:
        InputError: There is no such domain.
        DatabaseError: The database failed.
    """
    async with in_domain(options, name) as (_, found):
        return found


async def with_domain(context: Context) -> Context:
    """Return a context that names its domain, for an operation of many steps.

    Raises:
        InputError: It names none, and neither do the settings, and there is not just one.
        DatabaseError: The database failed.
    """
    if context.domain:
        return context
    found = await find_run_domain(await resolve_context(context))
    return replace(context, domain=found.name)
