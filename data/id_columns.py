"""Which columns of a log and of its table of items hold the same ids: their content tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from .cells import plain_number
from .columns import same_name
from .item_rows import key_in
from .malformed import ReadReport
from .table_rows import Row, read_rows

_FIRST_ROWS = 1_000
"""The ids in this many rows of a log are looked for among the items."""
_NEARLY = 0.75
"""The usual column needs this share of the ids that another one holds: some items are gone."""


def matching_columns(
    log: Path, chosen: Sequence[str], items: Path, ids: Sequence[str]
) -> tuple[str, str]:
    """Return the column of a log's items, and that of their ids in their own table.

    The log's column is the first that holds nearly as many ids of the items as any other. The
    items' column is the one of the same name, if it holds nearly as many ids of the log as any
    other, else the one that holds most, else the first.

    Args:
        log: The table of who chose what.
        chosen: Columns of the log that may hold the items, the likeliest first; at least one.
        items: The table of items.
        ids: Columns of this table that may hold the ids, the likeliest first; at least one.

    Raises:
        InputError: A file cannot be read.
    """
    if len(chosen) == len(ids) == 1:
        return chosen[0], ids[0]
    first = [row for _, row in islice(read_rows(log, ReadReport(), chosen), _FIRST_ROWS)]
    wanted = {column: _keys(first, column) for column in chosen}
    missing = {pair: set(wanted[pair[0]]) for pair in ((c, i) for c in chosen for i in ids)}
    usual = chosen[0], next((id_ for id_ in ids if same_name(id_, chosen[0])), ids[0])
    for _, row in read_rows(items, ReadReport(), ids):
        there = {column: _key(row, column) for column in ids}
        for (_, column), left in missing.items():
            left.discard(there[column])
        if wanted[chosen[0]] and not missing[usual]:
            return usual

    def held(column: str, id_: str) -> float:
        return 1 - len(missing[column, id_]) / max(1, len(wanted[column]))

    best = {column: max(held(column, id_) for id_ in ids) for column in chosen}
    item = next(column for column in chosen if best[column] >= _NEARLY * max(best.values()))
    alike = next((id_ for id_ in ids if same_name(id_, item)), None)
    if alike is not None and held(item, alike) >= _NEARLY * best[item]:
        return item, alike
    return item, max(ids, key=lambda id_: held(item, id_))


def own_column(items: Path, ids: Sequence[str]) -> str:
    """Return the first column that tells nearly as many of a table's first items apart as any.

    Args:
        items: The table of items.
        ids: Columns of this table that may hold the ids, the likeliest first; at least one.

    Raises:
        InputError: The file cannot be read.
    """
    if len(ids) == 1:
        return ids[0]
    first = [row for _, row in islice(read_rows(items, ReadReport(), ids), _FIRST_ROWS)]
    told = {id_: len(_keys(first, id_)) for id_ in ids}
    return next(id_ for id_ in ids if told[id_] >= _NEARLY * max(told.values()))


def _keys(rows: Iterable[Row], column: str) -> set[str]:
    return {_key(row, column) for row in rows} - {""}


def _key(row: Row, column: str) -> str:
    """Return an id however it is spelled; empty if there is none."""
    key = key_in(row, column)
    return plain_number(key) or key
