"""Lists the catalogues."""

from __future__ import annotations

from ..knowledge import domains as stored
from ..runtime.options import Context, resolve_context
from .database import connected
from .results import ListedDomain


async def list_domains(context: Context) -> list[ListedDomain]:
    """List the domains that the run may use, by name.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        rows = await stored.list_domains(connection)
    known = options.domains
    return [ListedDomain(**row) for row in rows if known is None or row["name"] in known]
