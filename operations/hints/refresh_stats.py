"""Keeps what is shown of hints true to the trials that were paid for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ...ranking.hints.stats import update_stats
from ...runtime.options import RunOptions
from ..database import in_domain


@asynccontextmanager
async def refreshing_stats(options: RunOptions) -> AsyncGenerator[None]:
    """Sum up the gains in all trials at the end, also at one by a limit, an error or a person.

    Raises:
        DatabaseError: The database failed; the sums are the old ones then.
    """
    try:
        yield
    finally:
        async with in_domain(options, write=True) as (connection, domain):
            await update_stats(connection, domain.id, options)
