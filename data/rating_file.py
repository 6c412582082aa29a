"""The day sessions of a file of ratings, whatever order the file has them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .day_sessions import DatedSession, Rating, day_sessions
from .tables import TableFormat, first_columns
from .user_order import in_user_order, is_grouped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def rated_days(path: Path, table: TableFormat, ratings: Iterable[Rating]) -> Iterator[DatedSession]:
    """Stream the day sessions of a file of ratings.

    A first look at the users tells whether the file is grouped by user, as the official ones are,
    and can be streamed, or must be sorted on disk first.

    Args:
        path: The file, whose first column is the user.
        table: How the file is written.
        ratings: The file's ratings in its own order.

    Yields:
        As `day_sessions` does.

    Raises:
        InputError: The file cannot be read.
    """
    grouped = is_grouped(first_columns(path, table))
    yield from day_sessions(ratings if grouped else in_user_order(ratings))
