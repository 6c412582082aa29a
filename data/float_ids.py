"""Ids that a program wrote as floats: 7.0 is 7 where a column holds whole numbers alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from .cells import NOTHING, plain_number
from .item_rows import key_of
from .malformed import ReadReport, RowError
from .table_rows import read_rows

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_FLOAT = re.compile(r"-?(?:[0-9]{1,18}\.0{1,12}|[0-9](?:\.[0-9]{1,15})?[eE]\+[0-9]{1,2})")
"""Such as `7.0`, and `1e+05`, as R writes 100000."""


def float_columns(path: Path, columns: Mapping[str, Collection[str]]) -> set[str]:
    """Return the columns whose ids are whole numbers that a program wrote as floats.

    All of them are written so, or one of them is there in both ways, as in joined exports. In any
    other column, such as one of versions, `1.0` may be another id than `1`.

    Args:
        path: The table.
        columns: Columns of ids, each with the texts that stand for none there.

    Raises:
        InputError: The file cannot be read.
    """
    left = {column: _Numbers() for column in columns}
    for _, row in read_rows(path, ReadReport(), list(columns)):
        others: list[str] = []
        for column, numbers in left.items():
            cell = row.get(column)
            if isinstance(cell, str) and cell in numbers.wholes:  # as almost all are
                continue
            try:
                key = key_of(cell, column, columns[column])
            except RowError:
                continue
            if not numbers.take(key):
                others.append(column)
        for column in others:
            del left[column]
        if not left:
            break
    return {column for column, numbers in left.items() if numbers.are_floats}


class _Numbers:
    def __init__(self) -> None:
        self.wholes, self._floats = set[str](), set[str]()

    def take(self, key: str) -> bool:
        """Return whether an id is a whole number in either way of writing."""
        if _WHOLE.fullmatch(key):
            self.wholes.add(key)
            return True
        number = as_whole(key)
        self._floats.add(number)
        return number != key

    @property
    def are_floats(self) -> bool:
        both = self.wholes & self._floats
        return bool(self._floats) and (not self.wholes or bool(both))


def spelling_in(items: Path, id_: str) -> Callable[[str], str]:
    """Return what makes ids of one number in a table of items alike.

    Args:
        items: The table.
        id_: Its column of the id.

    Raises:
        InputError: The file cannot be read.
    """
    return as_whole if float_columns(items, {id_: NOTHING}) else as_is


def as_whole(key: str) -> str:
    """Return the whole number that was written as a float; any other id as it is."""
    if _FLOAT.fullmatch(key) is None:
        return key
    number = plain_number(key.removeprefix("-"))
    if number is None:
        return key
    return f"-{number}" if key.startswith("-") and number != "0" else number


def as_is(key: str) -> str:
    """Return an id as it is: what `as_whole` is for a column of other ids."""
    return key
