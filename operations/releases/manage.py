"""Lists, shows, activates and rolls back releases of the learned hint policy."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge import releases as stored
from ...knowledge.domains import Domain
from ...knowledge.rollouts.rollouts import latest_rollout, rollout_events
from ...knowledge.served import active_release_number
from ...ranking.served_policy import load_release
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..database import in_domain
from .results import ListedRelease, ListedReleases, ReleaseRollout


async def list_releases(context: Context, *, domain: str | None = None) -> ListedReleases:
    """List a domain's releases without their weights, oldest first.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        releases = await stored.list_releases(connection, found.id)
    listed = [ListedRelease.model_validate(release) for release in releases]
    return ListedReleases(domain=found.name, releases=listed)


async def has_release(context: Context) -> bool:
    """Return whether a policy release is active in the run's domain."""
    async with in_domain(await resolve_context(context)) as (connection, domain):
        return await active_release_number(connection, domain.id) is not None


async def show_release(
    context: Context, release: int, *, domain: str | None = None
) -> ListedRelease:
    """Return a release without its weights.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such release.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        return await _listed(connection, found, release)


async def activate_release(
    context: Context, release: int, *, domain: str | None = None, force: bool = False
) -> ListedRelease:
    """Serve a release from now on.

    Args:
        context: The run's options; the release must fit their model and prompt.
        domain: Its name; `None` takes the context's.
        force: Whether to do so even if it is worse than the active one.

    Raises:
        Re2llmError: There is no such release, it cannot be served with this model, prompt and
            encoder, or it is worse than the active one.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        fetched = await stored.fetch_release(connection, found.id, release)
        # Refuses what cannot be served.
        load_release(release, fetched, options.prompted_model)
        await stored.activate_release(connection, found.id, release, force=force)
        return await _listed(connection, found, release)


async def rollback_release(
    context: Context, *, domain: str | None = None, active: int | None = None
) -> ListedRelease:
    """Go back to the release that was active before the current one.

    Args:
        domain: Its name; `None` takes the context's.
        active: The current one as far as the caller knows; `None` takes whichever it is.

    Raises:
        Re2llmError: No other release was ever active, it cannot be served with this model, or
            another one than `active` is active by now.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        number = await stored.rollback_release(connection, found.id, active=active)
        before = await stored.fetch_release(connection, found.id, number)
        # Refuses what cannot be served, and so changes nothing.
        load_release(number, before, options.prompted_model)
        return await _listed(connection, found, number)


async def _listed(connection: AsyncConnection, domain: Domain, number: int) -> ListedRelease:
    await stored.fetch_release(connection, domain.id, number)
    releases = await stored.list_releases(connection, domain.id)
    found = next(release for release in releases if release["id"] == number)
    return ListedRelease.model_validate(
        {**found, "rollout": await _rollout_of(connection, domain, number)}
    )


async def _rollout_of(
    connection: AsyncConnection, domain: Domain, number: int
) -> ReleaseRollout | None:
    rollout = await latest_rollout(connection, domain.id, release=number)
    if rollout is None:
        return None
    last = (await rollout_events(connection, rollout.id))[-1]
    return ReleaseRollout(
        number=rollout.number,
        state=rollout.state,
        percent=last["percent"],
        reason=last["reason"],
        words=last["words"],
    )
