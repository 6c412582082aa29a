"""Creates, lists, checks and revokes API keys of the server."""

from __future__ import annotations

from collections.abc import Sequence

from ...knowledge.access import keys as stored
from ...knowledge.access.grants import Grants
from ...knowledge.autopilot.autopilots import (
    autopilots_of_key,
    find_autopilot,
    set_autopilot_state,
    store_decision,
)
from ...knowledge.jobs.jobs import KEY_REVOKED
from ...knowledge.jobs.of_keys import stop_jobs_of_key
from ...runtime.caller import Caller
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..database import connected
from .key_results import CreatedKey, ListedKey, RevokedKey


async def create_key(
    context: Context,
    owner: str,
    domains: Sequence[str],
    *,
    models: Sequence[str] = (),
    may: Sequence[str] = (),
    calls_per_day: int | None = None,
    usd_per_day: float | None = None,
    requests_per_minute: int | None = None,
) -> CreatedKey:
    """Make a key. It cannot be shown again.

    Args:
        owner: The owner of the threads and runs that the key gives access to.
        domains: Names of the domains that the key may use.
        models: Models that requests may name, besides the server's own.
        may: What else it may do: `learn`, `export`.
        calls_per_day: Paid model calls a day (UTC), retries included; `None` for any number.
        usd_per_day: Their cost by `RE2LLM_PRICES`; `None` for any.
        requests_per_minute: HTTP requests; `None` for any number.

    Raises:
        Re2llmError: A domain does not exist, none is named, or the owner is not a usable name.
    """
    grants = Grants.from_dict(
        {
            "models": list(models),
            "may": list(may),
            "calls_per_day": calls_per_day,
            "usd_per_day": usd_per_day,
            "requests_per_minute": requests_per_minute,
        }
    )
    options = await resolve_context(context)
    async with connected(options, write=True) as connection:
        key = await stored.create_key(connection, owner, domains, grants)
    return CreatedKey(
        id=stored.id_of(key),
        key=key,
        owner=owner,
        domains=sorted(set(domains)),
        **grants.as_dict(),
    )


async def list_keys(context: Context) -> list[ListedKey]:
    """List all keys without their secrets, revoked ones too, oldest first.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        keys = await stored.list_keys(connection)
    return [_listed(key) for key in keys]


async def revoke_key(context: Context, key: str) -> RevokedKey:
    """Revoke a key, immediately and permanently; repeating it changes nothing.

    Running jobs that it has started stop, autopilots that it has turned on are held, and its
    schedules end when they are next due. All can go on without it.

    Args:
        key: Its id, as `list_keys` shows it.

    Raises:
        Re2llmError: There is no such key.
    """
    options = await resolve_context(context)
    async with connected(options, write=True) as connection:
        revoked = await stored.revoke_key(connection, key)
        held = await autopilots_of_key(connection, key)
        for domain in held:  # before its jobs, as deleting a domain does: else they deadlock
            await find_autopilot(connection, domain, alone=True)
            await set_autopilot_state(connection, domain, "held")
            await store_decision(connection, domain, "hold", "key_revoked", KEY_REVOKED)
        stopped = await stop_jobs_of_key(connection, key)
    return RevokedKey(id=key, revoked=revoked, jobs_stopped=stopped, autopilots_held=len(held))


async def check_key(context: Context, key: str) -> Caller | None:
    """Return the caller that a key stands for, or `None` if it is wrong or revoked.

    Args:
        key: The whole key, as a client sent it.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        found = await stored.check_key(connection, key)
    return found and Caller.of(found)


async def any_key_works(context: Context) -> bool:
    """Return whether there is a key that is not revoked.

    Raises:
        DatabaseError: The database failed.
    """
    options = await resolve_context(context)
    async with connected(options) as connection:
        return await stored.any_key_works(connection)


def _listed(key: stored.ApiKey) -> ListedKey:
    return ListedKey(
        id=key.id,
        owner=key.owner,
        domains=key.domains,
        created_at=key.created_at,
        **key.grants.as_dict(),
        revoked_at=key.revoked_at,
    )
