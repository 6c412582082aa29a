"""Which sessions of a test file are one and the same, so that nothing is counted twice.

A popular session is in many files several times, and a file may hold a session at every length.
Such rows say less than as many sessions of their own, and intervals have to know it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..arrays import Ints
from ..records import Session
from .baselines import items_of


def numbered(sessions: Sequence[Session]) -> Sequence[Session]:
    """Number sessions of the same history and target, so that each has random draws of its own.

    Where all differ, nothing changes.
    """
    before: Counter[tuple[tuple[str, ...], str | None]] = Counter()
    found: list[Session] = []
    for session in sessions:
        known = session.history, session.target
        found.append(replace(session, repeat=before[known]))
        before[known] += 1
    return sessions if len(before) == len(sessions) else found


def session_groups(sessions: Sequence[Session]) -> Ints:
    """Return which sessions belong together, `[sessions]`: a number each, the same for a group.

    Copies do, and a session with those that it begins with, target included. Many may begin alike:
    each is given one copy of a shorter one at most, and copies that are left are a group.

    Where all are of their own, the numbers are those of `np.arange`.
    """
    copies: dict[tuple[str, ...], list[int]] = {}
    for place, session in enumerate(sessions):
        copies.setdefault(items_of(session), []).append(place)
    groups = np.arange(len(sessions), dtype=np.int64)
    above: list[tuple[tuple[str, ...], list[tuple[int, int]]]] = []
    for items in sorted(copies, reverse=True):  # each comes after all that begin with it
        journeys: list[tuple[int, int]] = []
        while above and above[-1][0][: len(items)] == items:
            journeys += above.pop()[1]
        journeys.sort()
        places = copies[items]
        for place, (_, group) in zip(places, journeys, strict=False):
            groups[place] = group
        left = places[len(journeys) :]
        groups[left] = left[:1] * len(left)
        above.append((items, [*journeys, *((place, left[0]) for place in left)]))
    _, firsts, numbers = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(firsts, kind="stable"), kind="stable")[numbers]
