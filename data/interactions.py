"""A user's own tables: who chose what and when, and a table of items beside it if there is one."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from ..errors import InputError
from ..records import Item, Session, counted
from .columns import choose_columns, same_name, usual_columns
from .day_sessions import (
    LONGER_THAN,
    SECONDS_A_DAY,
    Rating,
    day_sessions,
    in_user_order,
    user_sessions,
)
from .event_filter import EventFilter
from .event_kinds import EventKinds
from .files import total_bytes
from .float_ids import spelling_in
from .id_columns import matching_columns
from .item_rows import item_of
from .log_items import items_of_log, mark_between, title_column
from .log_rows import LogRows
from .malformed import ReadReport, parse_items, parse_rows
from .row_order import RowOrder
from .table_rows import column_names, no_fact_in, read_rows
from .time_columns import TimeColumns
from .times import is_doubtful

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
        title: Column of the title there, or in the interactions if there is no such table.
        by_user: Make one session of all that a user chose, not one of each day.
        events: The kinds of events that count as choices; none counts all rows.
    """

    items: Path | None = None
    user: str | None = None
    item: str | None = None
    time: str | None = None
    id: str | None = None
    title: str | None = None
    by_user: bool = False
    events: tuple[str, ...] = ()


class TableReader:
    """Reads interactions and items; see `CatalogueReader`.

    Without a time, the order of the file counts, and all that a user chose is one session.

    Attributes:
        own_sessions: Whether the sessions will be read, too. Else any row with an item will do.
    """

    own_sessions = True

    def __init__(self, path: Path, options: TableOptions | None = None) -> None:
        self._options = options = options or TableOptions()
        for file in filter(None, (path, options.items)):
            check_table(file)
        self._interactions, self._items = path, options.items
        told = (options.user, options.item, options.time, None if options.items else options.title)
        self._all = column_names(path, told)
        if options.id and self._items is None:
            remedy = "Name the table of `items`, or leave out `id`."
            raise InputError("id", "Only a table of items has one.", remedy)
        given = {name: getattr(options, name) for name in ("user", "item", "time")}
        lacking = "title" if not options.title and usual_columns("id", self._all) else "id"
        alone = "" if self._items else f"For items alone, name the column of the `{lacking}`."
        self._columns = choose_columns(path, self._all, given, optional=("time",), other=alone)
        self._chosen = usual_columns("item", [] if options.item else self._all)
        self._ids: list[str] = []
        self._item_columns: dict[str, str] = {}
        if self._items is None:
            if options.title:
                self._item_columns = choose_columns(path, self._all, {"title": options.title})
        else:
            names = column_names(self._items, (options.id, options.title))
            self._chosen = self._chosen or [self._columns["item"]]
            alike = [name for name in names if any(same_name(name, c) for c in self._chosen)]
            if options.id is None:
                self._ids = list(dict.fromkeys([*usual_columns("id", names), *alike]))
            first = options.id or next(iter(self._ids), None)
            self._item_columns = choose_columns(
                self._items, names, {"id": first, "title": options.title}
            )
            self._ids = self._ids or [self._item_columns["id"]]
        self.item_bytes = total_bytes([self._items or path])
        self.session_bytes = total_bytes([path])

    @cached_property
    def _matched(self) -> tuple[dict[str, str], dict[str, str]]:
        """The columns of the interactions and of the items; content tells which hold the ids."""
        if self._items is None:
            return self._columns, self._item_columns
        item, id_ = matching_columns(self._interactions, self._chosen, self._items, self._ids)
        return {**self._columns, "item": item}, {**self._item_columns, "id": id_}

    @property
    def _roles(self) -> dict[str, str]:
        return self._matched[0]

    @cached_property
    def _time(self) -> TimeColumns | None:
        time = self._roles.get("time")
        if time is None:
            return None
        named = self._options.time is not None
        return TimeColumns(self._interactions, time, self._all, named=named)

    @cached_property
    def _rows(self) -> LogRows:
        user, item = self._roles["user"], self._roles["item"]
        path, usual, time = self._interactions, self._untaken("user"), self._time
        taken = {user, item, *(time.names if time else ())}
        events = EventFilter(path, self._all, taken, self._options.events)
        return LogRows(path, user, item, time, usual, events)

    def items(self, report: ReadReport) -> Iterator[Item]:
        """Stream the items in the order of their table, or of their first interaction."""
        item = self._roles["item"]
        if self._items is None:
            usual = [] if self._item_columns else self._untaken("title")
            found = title_column(self._interactions, self._roles["user"], item, usual)
            title = self._item_columns.get("title", found)
            report.remarks.append(f"{self._taken()}; {_called(title, usual)}")
            mark = mark_between(self._interactions, item)
            if mark is not None:
                report.remarks.append(
                    f"{self._interactions}: most ids in {item} hold {mark!r}. If it stands between "
                    "several items, write one row for each of them."
                )
            counts = self._rows.counts if self.own_sessions else self._rows.events.keeps
            yield from items_of_log(self._interactions, self._rows, title, report, counts)
            return
        columns = self._matched[1]
        listed = ", ".join(f"{role} = {name}" for role, name in columns.items())
        told = f"{self._items}: {listed}, and all other columns are attributes"
        report.remarks.append(f"{self._taken()}; {told}")
        rows, nothing = read_rows(self._items, report), no_fact_in(self._items)
        yield from parse_items(
            self._items,
            report,
            rows,
            lambda row: item_of(row, nothing=nothing, **columns),
            spelled=spelling_in(self._items, columns["id"]),
        )

    def sessions(
        self, report: ReadReport, known: Container[str] | None = None
    ) -> Iterator[Session]:
        """Stream the sessions."""
        order = RowOrder()
        ratings = in_user_order(self._ratings(report, known), order)
        dated = "time" in self._columns
        sessions = short = again = 0

        def on_short() -> None:
            nonlocal short
            short += 1

        def on_repeat() -> None:
            nonlocal again
            again += 1

        if self._options.by_user or not dated:
            for session in user_sessions(ratings, order=order, on_repeat=on_repeat):
                sessions += 1
                yield session
            needed = "2 or more interactions"
        else:
            days = day_sessions(ratings, order=order, on_short=on_short, on_repeat=on_repeat)
            for found in days:
                sessions += 1
                yield found.session
            needed = f"{LONGER_THAN + 1} or more interactions on one day"
        if again:
            told = counted(again, "row repeats", "rows repeat")
            report.remarks.append(
                f"{told} the item of the same user's row before. What follows itself counts once."
            )
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
        roles = {role: [name] for role, name in self._roles.items()}
        if self._time is not None:
            roles["time"] = self._time.names
        taken = [f"{role} = {' and '.join(names)}" for role, names in roles.items()]
        told = f"{self._interactions}: {', '.join(taken)}"
        if self._time is None:
            told += "; no column of times, so the order of the rows counts"
            taken = set(self._roles.values())
            told += _perhaps_time([name for name in self._all if name not in taken])
        elif self._time.perhaps is not None:
            told += f"; {self._time.names[0]} holds no time of day, so the order of the rows counts"
            told += f" within a day{_perhaps_time(self._time.perhaps)}"
        return told

    def _untaken(self, role: str) -> list[str]:
        """Return the columns of the interactions that have a usual name for another role."""
        taken = set(self._roles.values())
        return [name for name in usual_columns(role, self._all) if name not in taken]

    def _ratings(self, report: ReadReport, known: Container[str] | None) -> Iterator[Rating]:
        time, parse = self._time, self._rows.parser(known)
        columns, events = self._rows.columns, self._rows.events
        titles = [] if self._items else [*self._item_columns.values()]
        filtered = bool(events.columns)
        kinds = EventKinds(self._interactions, self._all, [*columns, *titles], filtered=filtered)
        rows = events.kept(read_rows(self._interactions, report, columns, useful=kinds.columns))
        latest, alone, at_zero = 0.0, 0, 0
        parsed = parse_rows(self._interactions, report, rows, lambda row: (parse(row), row))
        for line, (rating, row) in parsed:
            kinds.see(line, row)
            latest = max(latest, rating.timestamp)
            at_zero += rating.timestamp < SECONDS_A_DAY
            if time is not None and time.is_date_alone(rating.timestamp):
                alone += 1
            yield rating
        events.tell(report)
        kinds.tell(report)
        if time is not None and alone:
            told = counted(alone, "row has no time on its date", "rows have no time on their date")
            report.remarks.append(f"In {time.names[-1]}, {told}; such rows come first on it.")
        if time is not None and at_zero and not is_doubtful(latest):
            told = f"{counted(at_zero, 'row')} {'has' if at_zero == 1 else 'have'} a time of"
            report.remarks.append(
                f"In {time.names[0]}, {told} 1 January 1970, as programs write a time of 0. If it "
                "stands for none, empty these cells, and pass `skip_malformed`."
            )
        if time is not None and not self._options.by_user and latest and is_doubtful(latest):
            day = datetime.fromtimestamp(latest, UTC).date()
            report.remarks.append(
                f"The latest time in {time.names[0]} is read as {day}. If it counts days or rows, "
                "or not from 1 January 1970, write dates, or pass `by_user`."
            )


def _perhaps_time(columns: Sequence[str]) -> str:
    if not columns:
        return ""
    one = "" if len(columns) == 1 else "one of "
    return f" (if {one}{', '.join(columns[:_LISTED])} is the time, name it as `time`)"


def _called(title: str | None, usual: Sequence[str]) -> str:
    """Return a remark on what items without a table are called."""
    if title is not None:
        return f"no table of `items`, so items have the titles in {title}"
    told = "no table of `items`, so items are called by their ids"
    more = f" (if {usual[0]} is their title, name it as `title`)" if usual else ""
    return f"{told}{more}"


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
