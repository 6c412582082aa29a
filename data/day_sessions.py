"""Sessions from ratings: everything that one user rated on one calendar day.

The protocol of Re2LLM (arXiv 2403.16427): a day's items in time order are a session, kept if there
are more than three; the last one is the target. What follows itself counts once: a log often holds
a choice twice, or as one row for the view and one for the purchase.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from ..errors import InputError
from ..records import Session
from .row_order import RowOrder

SECONDS_A_DAY = 86_400
LONGER_THAN = 3
"""A day with this many items, or fewer, is no session."""

_MOST_OF_A_USER = 100_000
"""The most ratings of one user: they are sorted in memory."""


class Rating(NamedTuple):
    """One user's rating of one item, without its value; `timestamp` is in seconds since 1970."""

    user: str
    item: str
    timestamp: float


@dataclass(frozen=True, slots=True)
class DatedSession:
    """A session, and when its target was chosen, in seconds since 1970, UTC."""

    timestamp: float
    session: Session


def rated_sessions(
    ratings: Iterable[Rating], users: Iterable[str] | None = None
) -> Iterator[Session]:
    """Stream the day sessions of ratings in any order.

    Args:
        users: The user of each rating, from a first pass: if they are grouped, as in official
            files, the ratings are streamed. Else, and with `None`, they are grouped on disk first.

    Raises:
        InputError: A file cannot be read.
    """
    if users is not None and is_grouped(users):
        found = day_sessions(ratings)
    else:
        order = RowOrder()
        found = day_sessions(in_user_order(ratings, order), order=order)
    for dated in found:
        yield dated.session


def user_sessions(
    ratings: Iterable[Rating],
    *,
    order: RowOrder | None = None,
    on_repeat: Callable[[], None] = lambda: None,
) -> Iterator[Session]:
    """Stream one session of each user with two items or more: all of them, in time order.

    Args:
        ratings: Grouped by user.
        order: The order of the file, as `day_sessions` takes it.
        on_repeat: Called for each row that does not count, as it repeats the item before.

    Raises:
        InputError: A user has too many to be one person.
    """
    order = order or RowOrder()
    for user, rows in groupby(ratings, key=attrgetter("user")):
        ordered = _in_time_order(user, rows, order)
        *history, target = [row.item for row in _without_runs(ordered, on_repeat)]
        if history:
            yield Session(tuple(history), target)


def day_sessions(
    ratings: Iterable[Rating],
    *,
    longer_than: int = LONGER_THAN,
    order: RowOrder | None = None,
    on_short: Callable[[], None] = lambda: None,
    on_repeat: Callable[[], None] = lambda: None,
) -> Iterator[DatedSession]:
    """Stream the day sessions of users, one user in memory at a time.

    Days are those of UTC. Items rated at the same time keep their order, unless the file is newest
    first; an item that comes back on a day after another one stays twice.

    Args:
        ratings: Grouped by user, as the official files are; within a user in any order.
            `in_user_order` groups others.
        longer_than: How many items a day must exceed to count.
        order: The order of the file, once all its rows were seen; `None` if it is not known.
        on_short: Called for each day that does not count.
        on_repeat: Called for each rating that does not count, as it repeats the item before.

    Yields:
        Users in the order given, the days of each in time order.

    Raises:
        InputError: A user's ratings are not together, so a day could be torn apart, or are too many
            to be one person's; or `longer_than` is below 1, which leaves a session no history.
    """
    if longer_than < 1:
        raise InputError("longer_than", f"is {longer_than}.", "It must be at least 1.")
    order = order or RowOrder()
    seen: set[str] = set()
    for user, rows in groupby(ratings, key=attrgetter("user")):
        if user in seen:
            raise InputError(
                "ratings",
                f"those of user {user!r} are in two places.",
                "Group them by user with `in_user_order`.",
            )
        seen.add(user)
        ordered = _in_time_order(user, rows, order)
        for _, day in groupby(ordered, key=lambda rating: rating.timestamp // SECONDS_A_DAY):
            chosen = _without_runs(day, on_repeat)
            if len(chosen) > longer_than:
                *history, target = (rating.item for rating in chosen)
                yield DatedSession(chosen[-1].timestamp, Session(tuple(history), target))
            else:
                on_short()


def _without_runs(ordered: Iterable[Rating], on_repeat: Callable[[], None]) -> list[Rating]:
    """Return the last of each run of ratings of one item."""
    kept: list[Rating] = []
    for rating in ordered:
        if kept and kept[-1].item == rating.item:
            on_repeat()
            kept[-1] = rating
        else:
            kept.append(rating)
    return kept


def _in_time_order(user: str, rows: Iterable[Rating], order: RowOrder) -> list[Rating]:
    few = list(islice(rows, _MOST_OF_A_USER + 1))
    if len(few) > _MOST_OF_A_USER:
        problem = f"the user {user!r:.100} has more than {_MOST_OF_A_USER:,} of them."
        raise InputError("ratings", problem, "Name the column that tells people apart.")
    return order.sorted(few, attrgetter("timestamp"))


def is_grouped(users: Iterable[str]) -> bool:
    """Return whether each user's rows are next to each other."""
    seen: set[str] = set()
    for user, _ in groupby(users):
        if user in seen:
            return False
        seen.add(user)
    return True


def in_user_order(ratings: Iterable[Rating], order: RowOrder | None = None) -> Iterator[Rating]:
    """Group ratings by user, through a temporary SQLite database, so they may outgrow memory.

    Users come in order of first appearance, a user's ratings in the order given; the first rating
    is yielded after the last one was read, and all were shown to `order`.
    """
    order = order or RowOrder()

    def placed(row: Rating) -> tuple[int, str, str, float]:
        order.see(row.user, row.timestamp)
        place = places.setdefault(row.user, len(places))
        return place, row.user, row.item, row.timestamp

    # An empty name is a temporary database; consumers may resume the generator in another thread.
    with closing(sqlite3.connect("", check_same_thread=False)) as database:
        database.execute("CREATE TABLE rating (place INTEGER, user TEXT, item TEXT, time REAL)")
        places: dict[str, int] = {}
        database.executemany("INSERT INTO rating VALUES (?, ?, ?, ?)", map(placed, ratings))
        rows = database.execute("SELECT user, item, time FROM rating ORDER BY place, rowid")
        yield from map(Rating._make, rows)
