"""Lists and deletes domains."""

from __future__ import annotations

from ...errors import InputError
from ...knowledge import domains as stored
from ...knowledge.hnsw_index import drop_meaning_index
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..counted_uses import bring_counts_up_to_date
from ..database import connected, in_domain
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


async def domain_names(context: Context) -> tuple[list[str], str]:
    """Return the names of the domains that the run may use, sorted, and the one it uses by default.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        return await stored.domain_names(connection, among=options.domains), options.domain


async def show_domain(context: Context, name: str) -> ListedDomain:
    """Return one domain with counts of what it holds.

    Raises:
        InputError: There is no such domain that the run may use.
    """
    options = await resolve_context(context)
    await bring_counts_up_to_date(options, name)
    async with in_domain(options, name) as (connection, found):
        (row,) = await stored.list_domains(connection, name=found.name)
    return ListedDomain(**row)


async def delete_domain(context: Context, name: str) -> ListedDomain:
    """Delete a domain: items, sessions, trials, hints, releases, recommendations and feedback.

    API keys lose their access to it. The ledger of paid calls stays.

    Args:
        name: Its name; there is no default.

    Returns:
        What was deleted.

    Raises:
        InputError: There is no such domain that the run may use.
    """
    if not name:
        raise InputError("domain", "It is not named.", "Name the domain to delete.")
    deleted = await show_domain(context, name)
    options = await resolve_context(context)
    async with in_domain(options, name, write=True) as (connection, found):
        await stored.delete_domain(connection, found)
    await drop_meaning_index(options.services.autocommit, found)
    return deleted
