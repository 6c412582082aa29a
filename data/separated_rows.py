"""Rows of separated text such as CSV, whose cells may be quoted and go over several lines."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..records import counted
from .files import LONGEST_LINE
from .malformed import ReadReport

Line = tuple[int, str]
"""The number of a line, and its text."""

_UNQUOTED = "\t|"
"""Delimiters that texts hardly hold. Many programs that write them quote nothing, so that a quote
may be part of a title, and a line with all columns is a row whatever its quotes."""
_MOST_LINES = 10_000
_LONGEST_ROW = 2**20
"""The most lines in one row, and characters in several lines: an open quote takes no more."""
_READ_AGAIN = 10
"""How often all lines of a file may be read again where quotes mislead."""
_SWALLOWS = "has lines in quotes that look like rows of their own: the quote may be a mistake"
_ESCAPED = re.compile(r"\\([\"\\])")
"""How databases write a quote within quotes, where CSV doubles it."""
_TEXT = re.compile(r'="((?:[^"]|"")*)"')
_CLOSED = re.compile(r'"[^"]+"')

csv.field_size_limit(LONGEST_LINE)


def split_rows(
    path: Path, report: ReadReport, lines: Iterator[Line], delimiter: str, width: int
) -> Iterator[tuple[int, list[str]]]:
    """Stream the rows that have all columns, each with the number of its last line.

    Of other rows, each line is reported, except for rows that a spreadsheet left empty.

    Args:
        lines: The lines below the header.
        delimiter: One character.
        width: Number of columns. More are dropped if they are blank.
    """
    source = _Lines(lines)
    for first in source:
        number, text = first
        used, problem = 1, ""
        if '"' in text or "\r" in text:
            lines_of, cells, problem = _quoted(first, source, delimiter, width)
            number, used = lines_of[-1][0], len(lines_of)
            cells = [excel_text(cell) for cell in cells]
            if used > 1 and not problem and all(_full(lines_of, delimiter, width)):
                report.warn_once(path, first[0], _SWALLOWS)
        else:
            cells = text.split(delimiter)
        if not problem:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) == width or len(_fitted(cells, width)) == width:
                yield number, cells
                continue
            problem = f"has {counted(len(cells), 'column')} instead of {width}"
        lost = f" (from line {first[0]})" if used > 1 else ""
        report.add(path, number, f"{problem}{lost}")
        report.malformed += used - 1


class _Lines:
    """Lines that can be given back after they were read ahead."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._left = _MOST_LINES

    @property
    def may_return(self) -> bool:
        """Whether lines may still be read ahead to be given back: else a file could take hours."""
        return self._left > 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> Line:
        if self._again:
            return self._again.popleft()
        self._left += _READ_AGAIN
        return next(self._lines)

    def give_back(self, lines: Sequence[Line]) -> None:
        self._left -= len(lines)
        self._again.extendleft(reversed(lines))


def _quoted(
    first: Line, source: _Lines, delimiter: str, width: int
) -> tuple[list[Line], list[str], str]:
    """Return the lines of a row that has quotes, its cells, and why these cannot be told apart."""
    used, cells, problem = _parsed(first, source, delimiter)
    if _is_row(used, cells, delimiter, width):
        return used, cells, problem
    source.give_back(used[1:])
    if source.may_return and any(_ESCAPED.search(line) for _, line in used):
        other, unescaped, _ = _parsed(first, source, delimiter, escaped=True)
        if _is_row(other, unescaped, delimiter, width):
            return other, unescaped, ""
        source.give_back(other[1:])
    if delimiter in _UNQUOTED:
        return [first], first[1].split(delimiter), ""
    for _ in used[1:]:
        next(source)
    return used, cells, problem


def _parsed(
    first: Line, source: _Lines, delimiter: str, *, escaped: bool = False
) -> tuple[list[Line], list[str], str]:
    used = [first]
    if not escaped:
        with suppress(csv.Error):  # as it mostly is: the row is its first line
            return used, next(csv.reader(first[1:], delimiter=delimiter, strict=True)), ""

    def texts() -> Iterator[str]:
        yield _written(first[1], escaped=escaped)
        if delimiter in _UNQUOTED and not source.may_return:
            return
        size = len(first[1])
        for line in source:
            used.append(line)
            size += len(line[1])
            if size > _LONGEST_ROW or len(used) > _MOST_LINES:
                return
            yield _written(line[1], escaped=escaped)

    try:
        return used, next(csv.reader(texts(), delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        return used, [], f"is not a row of separated values: {error}"


def _written(line: str, *, escaped: bool) -> str:
    text = _ESCAPED.sub(lambda mark: '""' if mark[1] == '"' else "\\", line) if escaped else line
    return f"{text}\n"


def _is_row(used: Sequence[Line], cells: list[str], delimiter: str, width: int) -> bool:
    """Return whether a row has all columns, and does not join lines that are rows themselves."""
    if len(_fitted(cells, width)) != width:
        return False
    if len(used) == 1 or delimiter not in _UNQUOTED:
        return True
    full = _full(used, delimiter, width)
    return not (full[-1] and any(full[:-1])) or _is_text(used, full, delimiter)


def _is_text(used: Sequence[Line], full: Sequence[bool], delimiter: str) -> bool:
    """Return whether lines with all columns are a cell's text: the row tells how rows are written.

    They are if the row quotes other cells, too, or begins with an id where none of the lines does.
    """
    cells = used[0][1].split(delimiter)
    if any(_CLOSED.fullmatch(cell) for cell in cells):
        return True
    texts = [line for (_, line), rows in zip(used, full, strict=True) if rows][full[0] :]
    return _begins_with_id(used[0][1], delimiter) and not any(
        _begins_with_id(line, delimiter) for line in texts
    )


def _begins_with_id(line: str, delimiter: str) -> bool:
    """Return whether the first cell is one word that holds a number."""
    cell = line.partition(delimiter)[0].split()
    return len(cell) == 1 and any(map(str.isdigit, cell[0]))


def _full(used: Sequence[Line], delimiter: str, width: int) -> list[bool]:
    """Return which lines have all columns if quotes mean nothing."""
    return [len(_fitted(line.split(delimiter), width)) == width for _, line in used]


def excel_text(cell: str) -> str:
    """Return the text that a formula such as `="001"` stands for, as spreadsheets export texts."""
    told = _TEXT.fullmatch(cell) if cell[:2] == '="' else None
    return cell if told is None else told[1].replace('""', '"')


def _fitted(cells: list[str], width: int) -> list[str]:
    """Drop blank cells beyond the last column, which spreadsheets add; return the same list."""
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    return cells
