"""Withdraws items from a catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...errors import BusyError, InputError
from ...knowledge.withdrawn import withdraw
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..database import in_domain
from .meanings import shown
from .named import named_items
from .results import WithdrawnItems
from .titles import in_catalogue

_LOOK_AGAIN = 0.5
"""Seconds between two looks at whether a load has ended."""


async def withdraw_items(
    context: Context, items: Sequence[str], *, domain: str | None = None, wait: bool = True
) -> WithdrawnItems:
    """Withdraw items: they are recommended no more, until they are loaded again.

    They stay known: histories and past sessions may go on naming them.

    Args:
        items: Ids, or titles exactly as they are; all are withdrawn, or none.
        domain: Its name; `None` takes the context's.
        wait: Wait for the end of a load of the domain, without holding a connection.

    Raises:
        BusyError: The domain is being loaded, and this is not to wait.
        Re2llmError: There is no such domain or item, or several items of that title.
    """
    if not items:
        raise InputError("items", "It names none.", "Name the items to withdraw.")
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        found = {item.id: item for item in await named_items(finder, items, "items")}
    new = await _withdrawn(options, finder.domain.name, list(found), wait=wait)
    return WithdrawnItems(
        domain=finder.domain.name,
        items=[shown(item, found) for item in found.values()],
        withdrawn=new,
    )


async def _withdrawn(options: RunOptions, name: str, ids: Sequence[str], *, wait: bool) -> int:
    while True:
        try:
            async with in_domain(options, name, write=True) as (connection, there):
                return len(await withdraw(connection, there, ids))
        except BusyError:
            if not wait:
                raise
        await asyncio.sleep(_LOOK_AGAIN)
