"""Ratings grouped by user, whatever order a file has them in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING

from .day_sessions import Rating

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def is_grouped(users: Iterable[str]) -> bool:
    """Return whether each user's rows stand together.

    Args:
        users: The user of each row, in the order of the file.
    """
    seen: set[str] = set()
    for user, _ in groupby(users):
        if user in seen:
            return False
        seen.add(user)
    return True


def in_user_order(ratings: Iterable[Rating]) -> Iterator[Rating]:
    """Group ratings by user, on disk where they outgrow memory.

    They pass through a private temporary SQLite database, so a file of any size sorted by time can
    be read. Users come in order of first appearance, a user's ratings in the order given.

    Args:
        ratings: Ratings in any order.

    Yields:
        All of them, none before the last one was read.
    """
    # An empty name is a temporary database; consumers may resume the generator in another thread.
    with closing(sqlite3.connect("", check_same_thread=False)) as database:
        database.execute("CREATE TABLE rating (place INTEGER, user TEXT, item TEXT, time INTEGER)")
        places: dict[str, int] = {}
        database.executemany(
            "INSERT INTO rating VALUES (?, ?, ?, ?)",
            ((places.setdefault(row.user, len(places)), *row) for row in ratings),
        )
        rows = database.execute("SELECT user, item, time FROM rating ORDER BY place, rowid")
        yield from map(Rating._make, rows)
