"""Sessions out of ratings: everything that one user rated on one calendar day.

The protocol of Re2LLM (arXiv 2403.16427): a day's items in time order are a session, kept if there
are more than three; the last one is the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from ..records import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECONDS_A_DAY = 86_400
LONGER_THAN = 3
"""A day with this many items, or fewer, is no session."""


class Rating(NamedTuple):
    """One user's rating of one item; the rating itself does not matter here.

    Attributes:
        user: The user's id.
        item: The item's id.
        timestamp: Seconds since 1970, UTC.
    """

    user: str
    item: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class DatedSession:
    """A session and when it ended.

    Attributes:
        timestamp: When the target was chosen, in seconds since 1970, UTC.
        session: The session.
    """

    timestamp: int
    session: Session


def day_sessions(
    ratings: Iterable[Rating], *, longer_than: int = LONGER_THAN
) -> Iterator[DatedSession]:
    """Stream the day sessions of users, one user in memory at a time.

    Days are those of UTC. Items rated in the same second keep the order in which they came; an item
    rated twice on a day stays twice.

    Args:
        ratings: Ratings grouped by user, as the official files are; within a user in any order.
            `in_user_order` groups others.
        longer_than: How many items a day must exceed to count.

    Yields:
        Users in the order given, each one's days in time order.

    Raises:
        InputError: A user's ratings stand in two places, so that a day could be torn apart, or
            `longer_than` is below 1, which leaves a session no history.
    """
    if longer_than < 1:
        raise InputError("longer_than", f"is {longer_than}.", "It must be at least 1.")
    seen: set[str] = set()
    for user, rows in groupby(ratings, key=attrgetter("user")):
        if user in seen:
            raise InputError(
                "ratings",
                f"those of user {user!r} stand in two places.",
                "Group them by user with `in_user_order`.",
            )
        seen.add(user)
        in_time_order = sorted(rows, key=attrgetter("timestamp"))
        for _, day in groupby(in_time_order, key=_day):
            chosen = list(day)
            if len(chosen) > longer_than:
                *history, target = (rating.item for rating in chosen)
                yield DatedSession(chosen[-1].timestamp, Session(tuple(history), target))


def _day(rating: Rating) -> int:
    return rating.timestamp // SECONDS_A_DAY
