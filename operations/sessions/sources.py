"""Lists where training sessions came from, and drops those of one source."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge import forgetting
from ...knowledge.catalogue import refresh_popularity
from ...knowledge.domain_locks import hold_domain, hold_hints
from ...knowledge.domains import Domain, mark_changed
from ...knowledge.first_stages import Forgotten, forget_learned_since
from ...knowledge.hint_store.decisions import own_sessions
from ...knowledge.hint_store.hints import set_status
from ...knowledge.hint_store.merged import first_gains, keys_by_hint
from ...knowledge.hint_store.trials import gains
from ...knowledge.sessions.sources import list_sources
from ...ranking.hints.stats import update_stats
from ...ranking.hints.verification import verification
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..database import in_domain
from ..first_stage.fit import fit_first_stage
from .results import DroppedSessions, SessionSource


async def list_session_sources(
    context: Context, *, domain: str | None = None
) -> list[SessionSource]:
    """List where a domain's training sessions came from, the largest source first.

    Args:
        domain: Its name; `None` takes the context's.

    Raises:
        Re2llmError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        sources = await list_sources(connection, found.id)
    return [
        SessionSource(
            source=source.source,
            owner=source.owner,
            sessions=source.sessions,
            first=source.first,
            last=source.last,
        )
        for source in sources
    ]


async def drop_sessions(
    context: Context,
    source: str,
    *,
    domain: str | None = None,
    progress: Progress = silent,
) -> DroppedSessions:
    """Delete the training sessions of one source, with their trials and reflections.

    Evidence, popularity and the stats of hints are as if the sessions had never been there. An
    active hint that was verified on them waits for approval if what is left no longer shows a gain.
    Waiting feedback of that source is no longer learned from.

    A first stage that was fitted after they came is fitted again. Trials on the candidates that it
    had chosen are deleted, as for any new first stage, and so is a weight of a model's opinion that
    was measured after they came.

    Args:
        source: As `list_session_sources` shows it.
        domain: Its name; `None` takes the context's.
        progress: Called with the stage `fitting the first stage`.

    Raises:
        Re2llmError: There is no such domain, or no session of that source in it.
    """
    options = await resolve_context(context)
    async with in_domain(options, domain, write=True) as (connection, found):
        await hold_domain(connection, found.name)
        sessions = await forgetting.sessions_of(connection, found, source)
        waiting = await forgetting.settle_feedback(connection, found, source)
        if not sessions and not waiting:
            raise InputError(
                "source",
                f"Domain {found.name!r} has no session from {source!r}.",
                "`re2llm sessions list` shows all sources.",
            )
        came = await forgetting.first_came(connection, found, sessions)
        pending = await forget_sessions(connection, found, sessions, options)
        gone = Forgotten(first_stage=False, trials=0, weights=())
        if sessions:
            gone = await forget_learned_since(connection, found.id, came)
    fitted = None
    if gone.first_stage:
        fitted = await fit_first_stage(replace(options, domain=found.name), progress=progress)
    return DroppedSessions(
        domain=found.name,
        source=source,
        sessions=len(sessions),
        hints_pending=pending,
        feedback_settled=waiting,
        first_stage="kept" if not gone.first_stage else "gone" if fitted is None else "fitted",
        trials_forgotten=gone.trials,
        weights_forgotten=list(gone.weights),
    )


async def forget_sessions(
    connection: AsyncConnection, domain: Domain, sessions: Sequence[int], options: RunOptions
) -> list[int]:
    """Delete training sessions and correct everything that was computed from them.

    Args:
        connection: A connection in a transaction that holds the domain by `hold_domain`.

    Returns:
        Ids of the hints that now wait for approval.
    """
    if not sessions:
        return []
    await mark_changed(connection, domain)  # first, as other writers do: else they deadlock
    await hold_hints(connection, domain.id)
    tried = await forgetting.hints_tried_on(connection, domain, sessions)
    await forgetting.delete_sessions(connection, domain, sessions)
    await refresh_popularity(connection, domain)
    await forgetting.clear_stats(connection, domain, [hint.id for hint in tried])
    also = dict.fromkeys(hint.prompted_model for hint in tried)
    await update_stats(connection, domain.id, options, also=also)
    keys = await keys_by_hint(connection, domain.id)
    own = await own_sessions(connection, domain.id)
    pending: list[int] = []
    for hint in tried:
        if hint.status != "active" or not hint.verified or hint.id in pending:
            continue
        reason = await _doubt(connection, domain, hint, keys[hint.id], own.get(hint.id, set()))
        if reason is not None:
            await set_status(connection, domain.id, hint.id, "pending", reason)
            pending.append(hint.id)
    return pending


async def _doubt(
    connection: AsyncConnection,
    domain: Domain,
    hint: forgetting.TriedHint,
    keys: Sequence[bytes],
    own: AbstractSet[int],
) -> str | None:
    """Return why the trials that are left do not show a gain, or `None` if they do."""
    paid = await gains(connection, domain.id, hint.prompted_model, keys)
    left = verification(
        [gain for session, gain in first_gains(paid, keys).items() if session not in own]
    )
    if left.low > 0:
        return None
    return (
        "Sessions on which it was verified were deleted. Gain on the other "
        f"{left.sessions}: {left.mean:+.3f} NDCG@10 (90 % interval {left.low:+.3f} to "
        f"{left.high:+.3f})."
    )
