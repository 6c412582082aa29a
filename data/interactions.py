"""A user's own tables: who chose what and when, and a table of items beside it if there is one."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import cast

from ..errors import InputError
from ..records import Item, Session, counted
from .attributes import read_attributes
from .cells import NOTHING, cell_value, plain_number
from .columns import choose_columns
from .day_order import day_first_in, in_order
from .day_sessions import (
    LONGER_THAN,
    SECONDS_A_DAY,
    Rating,
    day_sessions,
    in_user_order,
    user_sessions,
)
from .files import total_bytes
from .json_rows import as_id, as_text
from .malformed import ReadReport, RowError, check_known, parse_items, parse_rows, shown
from .row_order import RowOrder
from .table_rows import Row, column_names, read_rows
from .times import timestamp
from .titles import clean_title

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What a user says about the tables; columns that are `None` are guessed by usual names.

    Attributes:
        items: The table of items; `None` takes the items of the interactions, called by their ids.
        user: Column of the user.
        item: Column of the item's id in the interactions.
        time: Column of the time.
        id: Column of the id in the table of items.
        title: Column of the title there.
        by_user: Make one session of all that a user chose, not one of each day.
    """

    items: Path | None = None
    user: str | None = None
    item: str | None = None
    time: str | None = None
    id: str | None = None
    title: str | None = None
    by_user: bool = False


class TableReader:
    """Reads interactions and items; see `CatalogueReader`.

    Without a time, the order of the file counts, and all that a user chose is one session.
    """

    def __init__(self, path: Path, options: TableOptions | None = None) -> None:
        self._options = options or TableOptions()
        for file in filter(None, (path, self._options.items)):
            check_table(file)
        self._interactions, self._items = path, self._options.items
        given = {name: getattr(self._options, name) for name in ("user", "item", "time")}
        self._all = column_names(path)
        alone = "" if self._items else "For items alone, name the column of the `title`."
        self._columns = choose_columns(path, self._all, given, optional=("time",), other=alone)
        self._item_columns: dict[str, str] = {}
        if self._items is not None:
            self._item_columns = choose_columns(
                self._items,
                column_names(self._items),
                {"id": self._options.id, "title": self._options.title},
            )
        self.item_bytes = total_bytes([self._items or path])
        self.session_bytes = total_bytes([path])

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the items in the order of their table, or of their first interaction."""
        report.remarks.append(self._taken())
        if self._items is None:
            yield from self._named_by_id(report)
            return
        rows = read_rows(self._items, report)
        columns = self._item_columns
        yield from parse_items(self._items, report, rows, lambda row: item_of(row, **columns))

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the sessions."""
        order = RowOrder()
        ratings = in_user_order(self._ratings(report, known), order)
        dated = "time" in self._columns
        sessions = short = 0

        def on_short() -> None:
            nonlocal short
            short += 1

        if self._options.by_user or not dated:
            for session in user_sessions(ratings, order=order):
                sessions += 1
                yield session
            needed = "2 or more interactions"
        else:
            for found in day_sessions(ratings, order=order, on_short=on_short):
                sessions += 1
                yield found.session
            needed = f"{LONGER_THAN + 1} or more interactions on one day"
        if not sessions:
            more = "" if self._options.by_user or not dated else " Or pass `by_user`."
            report.remarks.append(f"No user has {needed}, so there is no session.{more}")
        elif short:
            report.remarks.append(
                f"{counted(short, 'day')} on which a user had fewer than {LONGER_THAN + 1} "
                f"interactions {'is' if short == 1 else 'are'} no session. Pass `by_user` to make "
                "one session of all that a user chose."
            )

    def _taken(self) -> str:
        taken = [f"{role} = {name}" for role, name in self._columns.items()]
        told = f"{self._interactions}: {', '.join(taken)}"
        if "time" not in self._columns:
            told += "; no column of times, so the order of the rows counts"
            unread = [name for name in self._all if name not in self._columns.values()]
            if unread:
                one = "" if len(unread) == 1 else "one of "
                told += f" (if {one}{', '.join(unread[:_LISTED])} is the time, name it as `time`)"
        if self._items is None:
            return f"{told}; no table of `items`, so items are called by their ids"
        listed = ", ".join(f"{role} = {name}" for role, name in self._item_columns.items())
        return f"{told}; {self._items}: {listed}, and all other columns are attributes"

    def _named_by_id(self, report: ReadReport) -> Iterator[Item]:
        column = self._columns["item"]
        seen: set[str] = set()
        scanned = ReadReport()  # `sessions` reads the same rows and reports them
        for _, row in read_rows(self._interactions, scanned, [column]):
            try:
                key = _id(row.get(column), "item")
            except RowError:
                continue
            finally:
                report.bytes_read = scanned.bytes_read
            if key not in seen:
                seen.add(key)
                yield Item(key, key, named=False)

    def _ratings(self, report: ReadReport, known: Container[str] | None) -> Iterator[Rating]:
        spelled = _Spelling(known).of
        user, item, time = (self._columns.get(name) for name in ("user", "item", "time"))

        day_first = None if time is None else day_first_in(self._interactions, self._all_of(time))

        def parse(row: Row) -> Rating:
            key = spelled(_id(row.get(item or ""), "item"))
            check_known(key, known)
            written = in_order(row.get(time or ""), day_first=day_first)
            moment = 0 if time is None else timestamp(written, "time")
            return Rating(_id(row.get(user or ""), "user"), key, moment)

        rows = read_rows(self._interactions, report, list(self._columns.values()))
        latest = 0.0
        for _, rating in parse_rows(self._interactions, report, rows, parse):
            latest = max(latest, rating.timestamp)
            yield rating
        if 0 < latest < SECONDS_A_DAY:  # as Excel's numbers of days do
            report.remarks.append(
                f"All times in {time} lie on 1 January 1970 if they are seconds. If they count "
                "days or rows, write dates, or pass `by_user`."
            )

    def _all_of(self, column: str) -> Iterator[object]:
        rows = read_rows(self._interactions, ReadReport(), [column])
        return (row.get(column) for _, row in rows)


def check_table(path: Path) -> Path:
    """Return the path of a table.

    Raises:
        InputError: There is no such file.
    """
    if path.is_file():
        return path
    problem = "is not a file." if path.exists() else "does not exist."
    remedy = "Give a CSV, Parquet or JSONL file."
    raise InputError(str(path), problem, remedy)


def item_of(row: Row, *, id: str, title: str) -> tuple[Item, list[str]]:  # noqa: A002  # a role
    """Return the item of a row, and the names of attributes that cannot be kept.

    Args:
        row: From a table of items.
        id: The column of the id.
        title: The column of the title. All others are attributes.

    Raises:
        RowError: It has no id or no title.
    """
    facts = {name: _fact(value) for name, value in row.items() if name not in {id, title}}
    attributes, dropped = read_attributes(facts)
    named = row.get(title)
    text = str(named) if isinstance(named, int | float) else named
    if isinstance(text, str) and text.strip() in NOTHING:
        raise RowError(f"title {shown(text)} stands for no value")
    return Item(_id(row.get(id), "id"), clean_title(as_text(text, "title")), attributes), dropped


def without_nameless(items: Iterable[Item], known: Container[str]) -> Iterator[Item]:
    """Leave out items that are called by their ids and that the catalogue has, however spelled.

    Args:
        items: From a reader.
        known: The ids of the catalogue.
    """
    spelled = _Spelling(known).of
    return (item for item in items if item.named or spelled(item.id) not in known)


class _Spelling:
    """Spells an id as the catalogue does: tables write 7 as 7.0, and spreadsheets 007 as 7.

    Args:
        known: The ids of the catalogue.
    """

    def __init__(self, known: Container[str] | None) -> None:
        self._known = known
        self._numbers: dict[str, str | None] | None = None

    def of(self, key: str) -> str:
        """Return the catalogue's id of the same number, if there is just one."""
        if self._known is None or key in self._known:
            return key
        number = plain_number(key)
        if number is None or not isinstance(self._known, Iterable):
            return key
        if self._numbers is None:
            self._numbers = {}
            for id_ in cast("Iterable[str]", self._known):
                plain = plain_number(id_)
                if plain is not None:
                    self._numbers[plain] = None if plain in self._numbers else id_
        return self._numbers.get(number) or key


def _id(value: object, name: str) -> str:
    """Return an id; a column with gaps holds whole numbers as 7.0."""
    if isinstance(value, str) and value.strip() in NOTHING:
        raise RowError(f"{name} {shown(value)} stands for no value")
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)
    return as_id(value, name).strip()


def _fact(value: object) -> object:
    """Return a cell as JSON would hold it."""
    if isinstance(value, str):
        return cell_value(value)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
