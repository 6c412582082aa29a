"""The compact table of a ranking prompt: one line per item, its cells between bars.

A line shows what can tell the candidates apart: the attributes that vary among them, and of each
list the values that recur. It holds no more than one line and its own cells, whatever its text.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...records import AttributeValue, Item
from ..prompt_data import one_line

BAR = "|"
TOP_STAT = 9
"""The highest candidate's number is scaled to this."""

_LONGEST_TITLE, _LONGEST_TEXT, _LONGEST_NAME = 200, 80, 30
_MOST_COLUMNS = 12
_RECENT = 20
"""Items of the history that are shown with their attributes."""
_ROOM = 30
"""Characters of attributes that a line may take on average before its lists are shortened."""
_LARGEST = 1e9
_TRAILING = re.compile(r"(?: 0){1,99}\Z")


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of a list is shown: its number of values, and whether those of one item alone."""

    values: int
    lone: bool


_Content = str | list[str]
"""A cell as it is shown, or a list's values, of which a cell shows some."""

_DETAILS = (_Detail(3, lone=True), _Detail(3, lone=False), _Detail(2, lone=False))


@dataclass(frozen=True, slots=True)
class ItemTable:
    """History and candidates as lines.

    Attributes:
        names: Names of the attributes that are shown, in the order of their cells.
        history: One line per item, oldest first, without a number; older ones are titles alone.
        candidates: One line per item, without number and stats.
    """

    names: Sequence[str]
    history: Sequence[str]
    candidates: Sequence[str]


def item_table(
    history: Sequence[Item], candidates: Sequence[Item], reserved: Sequence[str]
) -> ItemTable:
    """Write items in as much detail as there is room for.

    Args:
        reserved: Names of other columns, for which no attribute may pass.
    """
    keys = _varying(candidates, {"title", "#", *reserved})
    past = [[_content(item.attributes.get(key)) for key in keys] for item in history]
    listed = [[_content(item.attributes.get(key)) for key in keys] for item in candidates]
    in_past, counts = (_counts(rows, len(keys)) for rows in (past, [*past, *listed]))

    def cells(row: Sequence[_Content], detail: _Detail) -> list[str]:
        return [
            content if isinstance(content, str) else _list(content, detail, count, before)
            for content, count, before in zip(row, counts, in_past, strict=True)
        ]

    rows: list[list[str]] = []
    detail = _DETAILS[0]
    for detail in _DETAILS:
        rows = [cells(row, detail) for row in listed]
        if sum(sum(map(len, row)) for row in rows) <= _ROOM * len(candidates):
            break
    older = len(history) - _RECENT
    shown = [[] if place < older else cells(row, detail) for place, row in enumerate(past)]
    return ItemTable(
        [_name(key) for key in keys],
        [_line(item, row) for item, row in zip(history, shown, strict=True)],
        [_line(item, row) for item, row in zip(candidates, rows, strict=True)],
    )


def stat_cells(stats: Sequence[Mapping[str, float]], names: Sequence[str]) -> list[str]:
    """Write each candidate's stats as whole numbers, scaled so that the highest is `TOP_STAT`.

    By their logarithms, since most counts are far below the highest: 3 of 400 is not 0. Zeros at
    the end are left out, except a single one.
    """
    columns: list[list[str]] = []
    for name in names:
        values = [row.get(name, 0.0) for row in stats]
        highest = max(values, default=0.0)
        top = math.log1p(highest) if highest > 0 else math.inf
        columns.append([str(round(TOP_STAT * math.log1p(max(v, 0.0)) / top)) for v in values])
    return [_TRAILING.sub("", " ".join(cells)) for cells in zip(*columns, strict=True)]


def _line(item: Item, cells: Sequence[str]) -> str:
    return BAR.join([one_line(item.title, _LONGEST_TITLE), *cells])


def _varying(candidates: Sequence[Item], taken: set[str]) -> list[str]:
    names: dict[str, str] = {}
    for key in sorted({key for item in candidates for key in item.attributes}):
        if len(names) == _MOST_COLUMNS:
            break
        name = _name(key)
        if name and name not in taken and name not in names and _varies(candidates, key):
            names[name] = key
    return list(names.values())


def _varies(candidates: Sequence[Item], key: str) -> bool:
    first, *others = (str(item.attributes.get(key)) for item in candidates)
    return any(other != first for other in others)


def _name(key: str) -> str:
    # No blank and no colon: the names of stats are set apart by blanks, labels by colons.
    return one_line(key.replace(":", " "), _LONGEST_NAME).replace(" ", "_")


def _content(value: AttributeValue | None) -> _Content:
    if value is None:
        return ""
    if isinstance(value, str):
        return one_line(value, _LONGEST_TEXT)
    if isinstance(value, int | float):
        return _number(value)
    return list(dict.fromkeys(map(str, value)))


def _counts(rows: Sequence[Sequence[_Content]], columns: int) -> list[Counter[str]]:
    """Count in how many rows the lists of each column hold each value."""
    counts = [Counter[str]() for _ in range(columns)]
    for row in rows:
        for count, content in zip(counts, row, strict=True):
            if not isinstance(content, str):
                count.update(content)
    return counts


def _list(values: Sequence[str], detail: _Detail, counts: Counter[str], past: Counter[str]) -> str:
    shown = values if detail.lone else [v for v in values if counts[v] > 1]
    if len(shown) > detail.values:  # what the history holds comes first, then the list's own order
        best = sorted(shown, key=lambda v: -past.get(v, 0))[: detail.values]
        shown = [v for v in shown if v in best]
    return ", ".join(filter(None, map(_value, shown)))


@lru_cache(maxsize=10_000)  # the same values occur in prompt after prompt
def _value(text: str) -> str:
    return one_line(text, _LONGEST_NAME).replace(",", ";")


def _number(value: float) -> str:
    whole = isinstance(value, int) or value.is_integer()
    return str(int(value)) if whole and abs(value) < _LARGEST else f"{value:.4g}"
