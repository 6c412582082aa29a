"""The rows of a log that are of the kinds of events that the user names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from ..records import counted
from .event_kinds import kinds_column, text_of
from .malformed import ReadReport, shown
from .table_rows import Row


class EventFilter:
    """Tells which rows of a log are of the kinds of events that count.

    Args:
        path: The log.
        there: Its columns.
        taken: Those that hold the user, the item or the time.
        kinds: The kinds that count, in letters of any case; none lets all rows count.

    Attributes:
        columns: The column to read, if any.

    Raises:
        InputError: Kinds are named, and no column has a usual name for them.
    """

    def __init__(
        self, path: Path, there: Sequence[str], taken: Collection[str], kinds: Collection[str]
    ) -> None:
        usual = kinds_column(there, taken) if kinds else None
        if kinds and usual is None:
            problem = f"No column of {path} has a usual name for kinds of events."
            raise InputError("events", problem, "Call it `event`, or leave out `events`.")
        self.columns = [] if usual is None else [usual]
        self._path = path
        self._kinds = {kind.casefold(): kind for kind in kinds}
        self._unseen, self._left_out = dict(self._kinds), 0

    def keeps(self, row: Row) -> bool:
        """Return whether a row counts."""
        return not self.columns or text_of(row.get(self.columns[0])).casefold() in self._kinds

    def kept(self, rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
        """Stream the rows that count, with their numbers, and count the others."""
        if not self.columns:
            yield from rows
            return
        self._unseen, self._left_out = dict(self._kinds), 0
        for number, row in rows:
            kind = text_of(row.get(self.columns[0])).casefold()
            if kind in self._kinds:
                self._unseen.pop(kind, None)
                yield number, row
            else:
                self._left_out += 1

    def tell(self, report: ReadReport) -> None:
        """Report how many rows were left out, and which kinds no row has."""
        for column in self.columns:
            told = counted(self._left_out, "row")
            report.remarks.append(f"{self._path}: by {column}, {told} of other events left out.")
        for kind in self._unseen.values():
            report.remarks.append(f"{self._path}: no row has the event {shown(kind)}.")
