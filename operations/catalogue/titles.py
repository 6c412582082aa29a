"""Turns what a person or a program calls an item into the item. Every interface uses this."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError

from ...knowledge.domains import Domain
from ...knowledge.engine import unreachable
from ...runtime.context import Context
from ...runtime.domain_cache import domain_of
from ...runtime.options import RunOptions, resolve_context
from ..results import FoundTitles
from .finder import Finder


async def find_titles(
    context: Context,
    titles: Sequence[str],
    *,
    domain: str | None = None,
) -> FoundTitles:
    """Find the items that some titles stand for, despite typing errors and in any case.

    Args:
        titles: Titles as a person wrote them; a year after a title distinguishes items with the
            same title.
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such domain, or too many of them are none of its titles.
    """
    options = await resolve_context(context)
    async with in_catalogue(options, domain) as finder:
        found = await finder.find(titles)
        return FoundTitles(titles=[found[title] for title in titles])


@asynccontextmanager
async def in_catalogue(options: RunOptions, domain: Domain | str | None) -> AsyncGenerator[Finder]:
    """Yield a finder of a domain's items.

    Raises:
        InputError: There is no such domain.
        DatabaseError: The database failed.
    """
    services = options.services
    try:
        if not isinstance(domain, Domain):
            domain = await domain_of(services, domain or options.domain, among=options.domains)
        yield Finder(domain, options)
    except (OSError, SQLAlchemyError) as error:
        raise unreachable(services.engine, error) from error
