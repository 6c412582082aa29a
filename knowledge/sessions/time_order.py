"""Finds out whether training sessions are in time order, and which of them are the recent ones.

A recommender meets items that are newer than most of what it has learned from. Where the order of
the training sessions shows that, hints and policies are learned on the recent sessions, beside
evidence from the earlier ones alone: what they meet then is what they will meet in use. Leaving out
no more than the session itself, as in `evidence`, would show them their items' later fame.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..domains import Domain
from ..schema.tables import DomainRow, TrialRow
from .chains import chains_of
from .training_sessions import training_sessions

RECENT_SHARE = 0.2
_FEW = 50
"""With fewer items found only in the recent sessions, their number says nothing."""
_TIMES = 5
"""As many as in a random order. MovieLens's small set has 9 times as many in time order, and 3
times as many where its sessions are grouped by person."""


def first_recent(sessions: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the first recent session, or `None` if the order tells no time.

    In time order, many items that were chosen several times were chosen in recent sessions alone.
    In a random order, that happens to an item of `n` sessions with the probability `share ** n`.
    Sessions that continue one another stand together in any order, so they count as one.

    Args:
        sessions: The items of each, in the order they were loaded.
    """
    start = round(len(sessions) * (1 - RECENT_SHARE))
    chosen = [set(items) for items in sessions]
    earlier = set(chain.from_iterable(chosen[:start]))
    by_chain: dict[int, set[str]] = {}
    for number, items in zip(chains_of(sessions), chosen, strict=True):
        by_chain.setdefault(number, set()).update(items)
    counts = Counter(chain.from_iterable(by_chain.values()))
    repeated = {item: count for item, count in counts.items() if count > 1}
    by_chance = sum(RECENT_SHARE**count for count in repeated.values())
    new = len(repeated.keys() - earlier)
    return start if new >= _FEW and new >= _TIMES * by_chance else None


async def notice_time_order(connection: AsyncConnection, domain: Domain) -> bool:
    """Note, once, the training session from which a domain's sessions are recent.

    Later sessions are recent too, so the border stays. Trials on sessions that become recent are
    deleted, because they were made with other evidence.

    Args:
        connection: A connection in the transaction that changed the sessions.

    Returns:
        Whether the order was found to tell time just now.
    """
    if domain.recent_from is not None:
        return False
    sessions = await training_sessions(connection, domain)
    items = [[*session.history, session.target or ""] for _, session in sessions]
    start = await asyncio.to_thread(first_recent, items)
    if start is None:
        return False
    first = sessions[start][0]
    await connection.execute(
        update(DomainRow).where(DomainRow.id == domain.id).values(recent_from=first)
    )
    await connection.execute(
        delete(TrialRow).where(TrialRow.domain_id == domain.id, TrialRow.session_id >= first)
    )
    return True
