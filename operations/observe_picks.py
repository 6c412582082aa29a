"""Makes what people picked training sessions, the misses and the rest."""

from __future__ import annotations

from ..knowledge.catalogue import fetch_items, refresh_popularity
from ..knowledge.domains import mark_changed
from ..knowledge.feedback import Miss
from ..knowledge.live_picks import mark_seen, new_picks
from ..knowledge.training_sessions import store_sessions, stored_keys
from ..records import Session
from ..runtime.options import RunOptions
from .database import in_domain
from .learn_from_feedback import session_of

_MOST = 5_000
"""Picks at a time; more wait for the next time."""
_MISSES = 200
"""Misses at a time whose sessions are learned from, the newest."""


async def observe_picks(options: RunOptions) -> list[int]:
    """Make new picks training sessions.

    All of them, not the misses alone: on misses alone any hint that changes the ranking looks as
    if it helped, since there the ranking without it is known to be wrong.

    Args:
        options: Name the catalogue and the model.

    Returns:
        Keys of the sessions of the newest misses, to learn from.

    Raises:
        DatabaseError: The database failed; nothing was stored then.
    """
    async with in_domain(options, None, write=True) as (connection, domain):
        picks = await new_picks(connection, domain.id, options.model, _MOST)
        wanted = {name for pick, _ in picks for name in _names(pick)}
        known = set(await fetch_items(connection, domain, sorted(wanted)))
        # The others name items that the catalogue has lost since.
        kept = [(pick, missed) for pick, missed in picks if _names(pick) <= known]
        by_source: dict[str, list[Session]] = {}
        for pick, _ in reversed(kept):  # the oldest first, as sessions are loaded
            by_source.setdefault(pick.source, []).append(session_of(pick))
        for source, sessions in by_source.items():
            await store_sessions(connection, domain, sessions, source=source)
        if kept:
            await refresh_popularity(connection, domain)
            await mark_changed(connection, domain)
        await mark_seen(connection, [pick.recommendation_id for pick, _ in picks])
        misses = [session_of(pick) for pick, missed in kept if missed][:_MISSES]
        return sorted(await stored_keys(connection, domain, misses))


def _names(pick: Miss) -> set[str]:
    session = session_of(pick)
    return {*session.history, pick.picked, *(session.candidates or ())}
