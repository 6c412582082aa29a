"""What serves a request, read from the database once for all its steps."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.domains import Domain
from ..knowledge.serving_state import Asked, ServingState, serving_state
from ..runtime.domain_cache import domain_of
from ..runtime.options import RunOptions


async def serving_of(options: RunOptions, name: str) -> ServingState:
    """Return what serves a domain: as the run knows it already, or else read now.

    Raises:
        InputError: There is no domain of that name that the run may know of.
    """
    asked = Asked(name, options.model, options.prompt_version, best=options.policy == "static")
    if options.known is not None and options.known.asked == asked:
        return options.known

    async def read(connection: AsyncConnection) -> ServingState:
        return await serving_state(connection, asked, among=options.domains)

    return await options.services.read_once(("serving", asked, options.domains), read)


async def domain_for(options: RunOptions, name: str) -> Domain:
    """Return a domain: as the run knows it already, or else read now.

    Raises:
        InputError: There is no domain of that name that the run may know of.
    """
    if options.known is not None and options.known.asked.name == name:
        return options.known.domain
    return await domain_of(options.services, name, among=options.domains)
