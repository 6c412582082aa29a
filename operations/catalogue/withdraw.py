"""Withdraws items from a catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InputError
from ...knowledge.withdrawn import withdraw
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..database import in_domain
from .meanings import shown
from .results import WithdrawnItems
from .titles import in_catalogue


async def withdraw_items(
    context: Context, items: Sequence[str], *, domain: str | None = None
) -> WithdrawnItems:
    """Withdraw items: they are recommended no more, until they are loaded again.

    They stay known: histories and past sessions may go on naming them.

    Args:
        items: Ids or titles; all are withdrawn, or none.
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such domain or item, or several items of that title.
    """
    if not items:
        raise InputError("items", "It names none.", "Name the items to withdraw.")
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        found = {item.id: item for item in await finder.resolve(items, "items")}
    async with in_domain(options, finder.domain.name, write=True) as (connection, there):
        new = await withdraw(connection, there, list(found))
    return WithdrawnItems(
        domain=there.name,
        items=[shown(item) for item in found.values()],
        withdrawn=len(new),
    )
