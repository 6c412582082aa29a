"""The rows of a log: who chose which item, and when."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import cached_property
from pathlib import Path

from .cells import NO_FACT, NOTHING
from .day_sessions import Rating
from .event_filter import EventFilter
from .float_ids import as_is, as_whole, float_columns
from .item_rows import key_in, key_of
from .malformed import RowError, check_known
from .spelling import Spelling
from .table_rows import Row
from .time_columns import TimeColumns


class LogRows:
    """Reads single rows of a log.

    Args:
        path: The log.
        user: Its column of the user.
        item: Its column of the item.
        time: Its columns of the time; `None` if it has none.
        usual: Other columns with a usual name for a user.
        events: Tells which rows count at all.
    """

    def __init__(
        self,
        path: Path,
        user: str,
        item: str,
        time: TimeColumns | None,
        usual: Sequence[str],
        events: EventFilter,
    ) -> None:
        self._path, self._user, self._item, self._time = path, user, item, time
        self._usual, self.events = usual[:1], events

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        times = self._time.names if self._time else ()
        return [self._user, self._item, *times, *self.events.columns]

    @cached_property
    def _floats(self) -> set[str]:
        return float_columns(self._path, {self._user: NO_FACT, self._item: NOTHING})

    def _spelled(self, column: str) -> Callable[[str], str]:
        return as_whole if column in self._floats else as_is

    @cached_property
    def _any(self) -> Callable[[Row], Rating]:
        return self.parser(None)

    def item_in(self, row: Row) -> str:
        """Return the id of a row's item; empty if there is none."""
        return self._spelled(self._item)(key_in(row, self._item))

    def counts(self, row: Row) -> bool:
        """Return whether a row counts, if the catalogue may hold any item."""
        if not self.events.keeps(row):
            return False
        try:
            self._any(row)
        except RowError:
            return False
        return True

    def parser(self, known: Container[str] | None) -> Callable[[Row], Rating]:
        """Return what reads a row; it raises `RowError` if the row is malformed.

        Args:
            known: The ids of the catalogue, which tells how an id is spelled; `None` allows any.
        """
        spelled, time = Spelling(known).of, self._time
        user_spelled, item_spelled = self._spelled(self._user), self._spelled(self._item)
        hints = [f"; if {name} tells people apart, name it as `user`" for name in self._usual]

        def user_of(row: Row) -> str:
            try:
                return user_spelled(key_of(row.get(self._user), "user", NO_FACT))
            except RowError as error:
                raise RowError(f"{error}{hints.pop() if hints else ''}") from error

        def parse(row: Row) -> Rating:
            key = key_of(row.get(self._item), "item")
            if known is None or key not in known:
                key = spelled(item_spelled(key))
            rating = Rating(user_of(row), key, 0 if time is None else time.of(row))
            check_known(key, known)  # last: what else is wrong is why a log lacks the item
            return rating

        return parse
