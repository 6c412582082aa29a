"""The items of a log without a table of items: called by their ids, or by titles in the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..records import Item
from .item_rows import key_in, title_of
from .log_rows import LogRows
from .malformed import ReadReport, RowError
from .table_rows import Row, read_rows

_FIRST_ROWS = 10_000
"""This many rows of a log tell whose title a column holds."""
_MOSTLY = 0.9
"""The share of later rows of an item that have its title: shops change a word now and then."""
_MARKS = "|;, "
_PLACES = ((0, 1), (1, None))
_DIGIT = re.compile(r"\d")


def title_column(path: Path, user: str, item: str, columns: Sequence[str]) -> str | None:
    """Return the first column that names the items, not the users and not the single rows.

    Args:
        path: The log.
        user: Its column of the user.
        item: Its column of the item.
        columns: Its columns with a usual name for a title.

    Raises:
        InputError: The file cannot be read.
    """
    if not columns:
        return None
    of_items = {column: _Steadiness() for column in columns}
    of_users = {column: _Steadiness() for column in columns}
    needed = [user, item, *columns]
    for _, row in islice(read_rows(path, ReadReport(), needed), _FIRST_ROWS):
        for column in columns:
            title = _title(row, column)
            if title:
                of_items[column].see(key_in(row, item), title)
                of_users[column].see(key_in(row, user), title)

    def names_items(column: str) -> bool:
        share = of_items[column].share
        return share >= _MOSTLY and share > of_users[column].share and of_items[column].differ

    return next(filter(names_items, columns), None)


def items_of_log(
    path: Path,
    log: LogRows,
    title: str | None,
    report: ReadReport,
    counts: Callable[[Row], bool],
) -> Iterator[Item]:
    """Yield the items in the order of their first interaction that counts.

    Args:
        path: The log.
        log: Reads its rows.
        title: Its column of the title; the first one of an item counts, of the rows that count if
            one of them has it. `None` if it has none.
        report: Gets only the bytes read: malformed rows are reported with the sessions.
        counts: Tells whether a row counts.

    Raises:
        InputError: The file cannot be read.
    """
    needed = log.columns if title in (None, *log.columns) else [*log.columns, title]
    titles: dict[str, str] = {}
    spare: dict[str, str] = {}
    scanned = ReadReport()
    for _, row in read_rows(path, scanned, needed):
        report.bytes_read = scanned.bytes_read
        key = log.item_in(row)
        if not key or titles.get(key):
            continue
        if not counts(row):
            if title is not None and not spare.get(key):
                spare[key] = _title(row, title)
            continue
        if title is None:
            yield _item(key, "")
        titles[key] = key if title is None else _title(row, title)
    report.bytes_read = scanned.bytes_read
    if title is not None:
        yield from (_item(key, said or spare.get(key, "")) for key, said in titles.items())


def mark_between(path: Path, item: str) -> str | None:
    """Return the mark between several ids in most cells of a log; `None` if they hold one each.

    An id may have parts, such as shop and number: then each part is in the same place everywhere.

    Args:
        path: The log.
        item: Its column of the item.

    Raises:
        InputError: The file cannot be read.
    """
    rows = islice(read_rows(path, ReadReport(), [item]), _FIRST_ROWS)
    keys = list(filter(None, (key_in(row, item) for _, row in rows)))
    return next((mark for mark in _MARKS if _separates(mark, keys)), None)


def _separates(mark: str, keys: Sequence[str]) -> bool:
    lists = [key.split(mark) for key in keys if mark in key]
    if 2 * len(lists) <= len(keys) or not all(part.strip() for parts in lists for part in parts):
        return False
    if mark == " " and not all(_DIGIT.search(part) for parts in lists for part in parts):
        return False  # such as titles
    first, later = ({part.strip() for parts in lists for part in parts[a:b]} for a, b in _PLACES)
    return len(set(map(len, lists))) > 1 or not first.isdisjoint(later)


class _Steadiness:
    """How often something that came again had the title that it had first."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}
        self._again = self._same = 0

    def see(self, key: str, title: str) -> None:
        if not key:
            return
        if key in self._titles:
            self._again += 1
            self._same += self._titles[key] == title
        else:
            self._titles[key] = title

    @property
    def differ(self) -> bool:
        """Whether it tells apart what was seen, as a title does and a kind does not."""
        return 2 * len(set(self._titles.values())) > len(self._titles)

    @property
    def share(self) -> float:
        """The share that had the same title, from 0 to 1; 0 if nothing came again."""
        return self._same / self._again if self._again else 0.0


def _item(key: str, title: str) -> Item:
    return Item(key, title or key, named=False)


def _title(row: Row, column: str) -> str:
    """Return a title; empty if there is none."""
    try:
        return title_of(row.get(column))
    except RowError:
        return ""
