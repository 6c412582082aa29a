"""Training and test sessions: a seeded random split, and one by time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TypeVar

from ..errors import InputError
from .day_sessions import DatedSession

T = TypeVar("T")

TRAIN_SHARE = 0.8
"""The share of training sessions in Re2LLM (arXiv 2403.16427)."""


def random_split(
    sessions: Iterable[T], *, seed: int, train_share: float = TRAIN_SHARE
) -> tuple[list[T], list[T]]:
    """Split sessions at random, the same way for the same seed and number of sessions.

    Args:
        sessions: At least two, dated or not.
        train_share: The share of training sessions, between 0 and 1; each side gets at least one.

    Returns:
        Training and test sessions, each in the order given.

    Raises:
        InputError: There are fewer than two sessions, or the share is not between 0 and 1.
    """
    everything = list(sessions)
    train = set(
        random.Random(seed).sample(range(len(everything)), _train_size(everything, train_share))
    )
    parts: tuple[list[T], list[T]] = ([], [])
    for place, session in enumerate(everything):
        parts[place not in train].append(session)
    return parts


def temporal_split(
    sessions: Iterable[DatedSession], *, train_share: float = TRAIN_SHARE
) -> tuple[list[DatedSession], list[DatedSession]]:
    """Split sessions by time: every training session ends before any test session ends.

    Sessions that end in the same second stay together, so the share is only approximate.

    Args:
        sessions: At least two, in any order.
        train_share: The share of training sessions, between 0 and 1.

    Returns:
        Training and test sessions, each in time order; stable where times are equal.

    Raises:
        InputError: There are fewer than two sessions, all of them end in the same second, or the
            share is not between 0 and 1.
    """
    in_order = sorted(sessions, key=attrgetter("timestamp"))
    wanted = _train_size(in_order, train_share)
    cuts = [
        place
        for place in range(1, len(in_order))
        if in_order[place - 1].timestamp < in_order[place].timestamp
    ]
    if not cuts:
        remedy = "Use a random split."
        raise InputError("sessions", "all end in the same second.", remedy)
    cut = min(cuts, key=lambda place: abs(place - wanted))
    return in_order[:cut], in_order[cut:]


def _train_size(sessions: Sequence[object], share: float) -> int:
    if not 0 < share < 1:
        raise InputError("train_share", f"is {share}.", "It must be between 0 and 1.")
    if len(sessions) < 2:  # noqa: PLR2004
        remedy = "At least two are needed, one for either side."
        raise InputError("sessions", f"are {len(sessions)} in number.", remedy)
    return min(max(round(len(sessions) * share), 1), len(sessions) - 1)
