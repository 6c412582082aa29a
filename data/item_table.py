"""A user's own table of items without interactions."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path

from ..errors import InputError
from ..records import Item, Session
from .columns import choose_columns, usual_column, usual_columns
from .files import total_bytes
from .float_ids import spelling_in
from .id_columns import own_column
from .interactions import TableOptions, check_table
from .item_rows import item_of
from .malformed import ReadReport, parse_items
from .table_rows import column_names, no_fact_in, read_rows

_FIRST_ROWS = 1_000
"""A table with an item twice in this many rows says who chose it: it is no table of items."""


class ItemTableReader:
    """Reads items alone; see `CatalogueReader`.

    Args:
        path: The table of items.
        options: Which columns hold the id and the title.
    """

    session_bytes = 0

    def __init__(self, path: Path, options: TableOptions) -> None:
        if options.user or options.item or options.time or options.by_user or options.events:
            told = "their columns, `by_user` and `events`"
            remedy = f"Name the table of interactions, or leave out {told}."
            raise InputError("path", "It is not named.", remedy)
        self._path = check_table(path)
        given = {"id": options.id, "title": options.title}
        there = column_names(path, given.values())
        self._columns = choose_columns(path, there, given)
        self._ids = [self._columns["id"]] if options.id else usual_columns("id", there)
        self.item_bytes = total_bytes([path])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the items in the order of the table."""
        columns = {**self._columns, "id": own_column(self._path, self._ids)}
        taken = ", ".join(f"{role} = {name}" for role, name in columns.items())
        report.remarks.append(
            f"{self._path}: {taken}, and all other columns are attributes; "
            "nothing says who chose them, so there are no sessions"
        )
        rows, nothing = read_rows(self._path, report), no_fact_in(self._path)
        yield from parse_items(
            self._path,
            report,
            rows,
            lambda row: item_of(row, nothing=nothing, **columns),
            spelled=spelling_in(self._path, columns["id"]),
        )

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream no session: there are none."""
        del report, known
        yield from ()


def holds_items_alone(path: Path, options: TableOptions) -> bool:
    """Return whether a table holds items, not who chose them.

    It holds items if the user names the column of the id, or if the user names that of the title
    and no column has a usual name for a user. Else the first rows must be of different items, and
    a title must be named or have a usual name. Beside users, an `id` may be a number of the row,
    so a column with a usual name for an item is looked at first.
    """
    if options.items or options.user or options.item or options.time:
        return False
    if options.by_user or options.events:
        return False
    if options.id:
        return True
    there = column_names(check_table(path))
    logged = usual_column("user", there) is not None
    if options.title is None and (logged or usual_column("title", there) is None):
        return False
    id_ = (usual_column("item", there) if logged else None) or usual_column("id", there)
    if id_ is None or (options.title and not logged):
        return not logged
    first = islice(read_rows(path, ReadReport(), [id_]), _FIRST_ROWS)
    ids = [str(row.get(id_)) for _, row in first]
    return len(ids) == len(set(ids))
