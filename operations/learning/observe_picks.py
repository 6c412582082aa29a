"""Makes what people picked training sessions, the misses and the rest."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...knowledge.catalogue import fetch_items, refresh_popularity
from ...knowledge.domain_locks import hold_row
from ...knowledge.domains import mark_changed
from ...knowledge.log.live_picks import new_picks
from ...knowledge.log.misses import Miss, mark_learnt
from ...knowledge.sessions.sources import FILE, LOCAL
from ...knowledge.sessions.training_sessions import keys_of_sessions, store_sessions
from ...records import Session
from ...runtime.options import RunOptions
from ..database import in_domain
from .from_feedback import session_of

_MISSES = 200
"""Most misses to learn from at a time, the newest."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Picks that are training sessions now.

    Attributes:
        misses: The newest that can be learned from: the key of the session, by the id of the
            recommendation. Of one API key, there are no more than its share.
        settled: Ids of recommendations whose picks need not be looked at again: no misses, or of
            items that the catalogue has lost.
    """

    misses: Mapping[uuid.UUID, int]
    settled: Sequence[uuid.UUID]


async def observe_picks(options: RunOptions) -> Observed:
    """Make new picks training sessions; one that is a session already stays as it is.

    All of them, not the misses alone: on misses alone any hint that changes the ranking looks as
    if it helped, since there the ranking without it is known to be wrong.

    Args:
        options: Name the catalogue and the model.

    Raises:
        DatabaseError: The database failed; nothing was stored then.
    """
    async with in_domain(options, write=True) as (connection, domain):
        picks = await new_picks(connection, domain.id, options.model)
        wanted = {name for pick, _ in picks for name in _names(pick)}
        known = set(await fetch_items(connection, domain, sorted(wanted)))
        # The others name items that the catalogue has lost since.
        kept = [(pick, missed) for pick, missed in picks if _names(pick) <= known]
        by_source: dict[str, list[Session]] = {}
        for pick, _ in reversed(kept):  # the oldest first, as sessions are loaded
            by_source.setdefault(pick.source, []).append(session_of(pick))
        if kept:
            await hold_row(connection, domain.id)  # before its sessions: its writers queue on it
        for source, sessions in by_source.items():
            await store_sessions(connection, domain, sessions, source=source)
        if kept:
            await mark_changed(connection, domain)
            await refresh_popularity(connection, domain)
        chosen = _newest(kept, options.settings.source_share)
        keys = await keys_of_sessions(connection, domain, [session_of(pick) for pick in chosen])
        missed = {pick.recommendation_id for pick, missed in kept if missed}
        return Observed(
            misses={pick.recommendation_id: key for pick, key in zip(chosen, keys, strict=True)},
            settled=[
                pick.recommendation_id for pick, _ in picks if pick.recommendation_id not in missed
            ],
        )


async def settle_picks(options: RunOptions, recommendations: Sequence[uuid.UUID]) -> None:
    """Note that the picks of recommendations need not be looked at again."""
    async with in_domain(options, write=True) as (connection, _):
        await mark_learnt(connection, recommendations)


def _newest(picks: Sequence[tuple[Miss, bool]], share: float) -> list[Miss]:
    """Return the newest misses, at least one of each API key and at most its share of all."""
    chosen: list[Miss] = []
    of_key = Counter[str]()
    for pick, missed in picks:
        trusted = pick.source in {FILE, LOCAL}
        if not missed or (not trusted and of_key[pick.source] >= max(1, int(share * _MISSES))):
            continue
        of_key[pick.source] += 1
        chosen.append(pick)
    return chosen[:_MISSES]


def _names(pick: Miss) -> set[str]:
    session = session_of(pick)
    return {*session.history, pick.picked, *(session.candidates or ())}
