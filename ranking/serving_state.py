"""The serving state of a request's domain, read once for all nodes."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.domains import Domain
from ..knowledge.serving_state import ServingQuery, ServingState, serving_state
from ..runtime.domain_cache import domain_of
from ..runtime.options import RunOptions


async def serving_state_of(options: RunOptions, name: str) -> ServingState:
    """Return a domain's serving state: the run's own if it has one, or one that is read now.

    Raises:
        InputError: There is no domain of that name that the run may know of.
    """
    query = ServingQuery(name, options.prompted_model, best=options.policy == "static")
    if options.serving_state is not None and options.serving_state.query == query:
        return options.serving_state

    async def read(connection: AsyncConnection) -> ServingState:
        return await serving_state(connection, query, among=options.domains)

    return await options.services.read_once(("serving", query, options.domains), read)


async def domain_for(options: RunOptions, name: str) -> Domain:
    """Return a domain: the run's own if it has one, or one that is read now.

    Raises:
        InputError: There is no domain of that name that the run may know of.
    """
    if options.serving_state is not None and options.serving_state.query.name == name:
        return options.serving_state.domain
    return await domain_of(options.services, name, among=options.domains)
