"""Makes what people picked training sessions, the misses and the rest."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Observed:
    """Picks that are training sessions now.

    Attributes:
        misses: Keys of the sessions of the newest misses, to learn from.
        seen: Ids of the recommendations whose picks need not be looked at again, once a learner
            has the misses.
        hits: Of those, the ones that were no misses.
    """

    misses: Sequence[int]
    seen: Sequence[uuid.UUID]
    hits: Sequence[uuid.UUID]


async def observe_picks(options: RunOptions) -> Observed:
    """Make new picks training sessions; one that is a session already stays as it is.

    All of them, not the misses alone: on misses alone any hint that changes the ranking looks as
    if it helped, since there the ranking without it is known to be wrong.

    Args:
        options: Name the catalogue and the model.

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
        misses = [session_of(pick) for pick, missed in kept if missed][:_MISSES]
        return Observed(
            misses=sorted(await stored_keys(connection, domain, misses)),
            seen=[pick.recommendation_id for pick, _ in picks],
            hits=[pick.recommendation_id for pick, missed in picks if not missed],
        )


async def settle_picks(options: RunOptions, recommendations: Sequence[uuid.UUID]) -> None:
    """Note that the picks of recommendations need not be looked at again."""
    async with in_domain(options, None, write=True) as (connection, _):
        await mark_seen(connection, recommendations)


def _names(pick: Miss) -> set[str]:
    session = session_of(pick)
    return {*session.history, pick.picked, *(session.candidates or ())}
