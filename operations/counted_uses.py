"""Counts the log of a domain up to a few minutes ago, if that is due."""

from __future__ import annotations

from ..knowledge.hint_store.uses import count_is_due, count_up
from ..runtime.options import RunOptions
from .database import in_domain


async def bring_counts_up_to_date(options: RunOptions, domain: str | None) -> None:
    """Have the log's older part counted if that is due, which takes long only the first time.

    Args:
        domain: Its name; `None` takes the run's.

    Raises:
        InputError: There is no such domain that the run may use.
    """
    async with in_domain(options, domain) as (connection, found):
        due = await count_is_due(connection, found.id)
    if due:
        async with in_domain(options, domain, write=True) as (connection, found):
            await count_up(connection, found.id)
