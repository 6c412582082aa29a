"""How often people choose again what they have chosen before."""

from __future__ import annotations

from collections.abc import Iterable

from ...records import Session


def repeated(sessions: Iterable[Session]) -> float:
    """Return the part of some sessions whose target is in their history, 0 where there are none."""
    again = [session.target in session.history for session in sessions]
    return sum(again) / max(len(again), 1)
