"""Deletes what is stored about people."""

from __future__ import annotations

import datetime as dt

from ...errors import InputError
from ...knowledge.autopilot.counted_rewards import keep_before_purge
from ...knowledge.domains import find_domain
from ...knowledge.retention import Scope, delete_log, hold_domains, observed_sessions, sources_of
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..database import connected
from .purged_rollouts import hold_before_purge
from .results import Purged
from .sources import forget_sessions

_MOST_DAYS = 365 * 1000


async def purge(
    context: Context,
    *,
    older_than: int | None = None,
    owner: str | None = None,
    dry_run: bool = False,
) -> Purged:
    """Delete logged recommendations, feedback, observed sessions and models' answers.

    It deletes all or nothing, in one transaction. Loaded files' data and the sums of the ledger
    stay. A rollout that loses evidence is held.

    Args:
        older_than: Only what was stored more than this many days ago; `None` takes the setting
            `retention_days`, or any age if an owner is named.
        owner: Only what came with this owner's keys, with the key of this id, or without a key
            (`local`); `None` for everything.
        dry_run: Only count.

    Raises:
        Re2llmError: Neither an age nor an owner is named, or there is no such owner.
    """
    options = await resolve_context(context)
    days = older_than
    if days is None and owner is None:
        days = options.settings.retention_days
    if days is None and owner is None:
        raise InputError(
            "older_than",
            "Nothing says what to delete.",
            "Name an age or an owner, or set RE2LLM_RETENTION_DAYS.",
        )
    before = None if days is None else _days_ago(days)
    async with connected(options, write=True) as connection:
        sources = None if owner is None else await sources_of(connection, owner)
        scope = Scope(before, sources)
        sessions, pending = 0, 0
        to_hold = await observed_sessions(connection, scope)
        await hold_domains(connection, scope, to_hold)
        # Again: while it waited, a domain may have been deleted, or sessions dropped.
        now = await observed_sessions(connection, scope)
        observed = {name: keys for name, keys in now.items() if name in to_hold}
        held = await hold_before_purge(connection, scope, options)
        for name, keys in observed.items():
            domain = await find_domain(connection, name)
            pending += len(await forget_sessions(connection, domain, keys, options))
            sessions += len(keys)
        await keep_before_purge(connection, options.model)
        counts = await delete_log(connection, scope)
        if dry_run:
            await connection.rollback()
    return Purged(
        dry_run=dry_run,
        before=before,
        owner=owner,
        sessions=sessions,
        hints_pending=pending,
        rollouts_held=held,
        **counts,
    )


def _days_ago(days: int) -> dt.datetime:
    if not 0 <= days <= _MOST_DAYS:
        raise InputError("older_than", f"{days} is no number of days.", f"Use 0 to {_MOST_DAYS:,}.")
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
