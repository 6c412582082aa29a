"""Rows that a reader cannot use: it reports each with file and line, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ..errors import InputError
from ..records import Item, counted

Row = TypeVar("Row")
Parsed = TypeVar("Parsed")

LISTED = 10
"""How many malformed rows and warnings are kept word for word; the rest are only counted."""

_SHOWN_CHARACTERS = 60
_MOST_REASONS = 1000
"""Names that are counted; a file in which every row has its own would fill the memory."""


class RowError(ValueError):
    """One row cannot be used; the message says why, without file and line."""


@dataclass(slots=True)
class RowNote:
    """A remark about a row; `line` counts from 1, and is `None` in a file without lines.

    `rows` counts the rows that it holds for; `line` is the first of them.
    """

    path: Path
    line: int | None
    reason: str
    rows: int = 1

    @property
    def place(self) -> str:
        """The file and line as `file:line`."""
        return str(self.path) if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        rows = f" (and in {counted(self.rows - 1, 'more row')})" if self.rows > 1 else ""
        return f"{self.place}: {self.reason}{rows}"


@dataclass(slots=True)
class ReadReport:
    """Collects what streaming readers leave out, and how far they have read.

    A reader skips a malformed row and goes on; the caller decides afterwards whether to keep the
    others. Memory stays small however bad the file is.

    Attributes:
        malformed: How many rows were left out.
        warnings: How many rows were used after a repair, or look odd.
        bytes_read: Bytes read so far, for a progress bar (compressed bytes in a `.gz` file).
        first_malformed: The first `LISTED` rows that were left out.
        first_warnings: The first `LISTED` warnings.
        remarks: What else the user should know, such as which columns were taken.
    """

    malformed: int = 0
    warnings: int = 0
    bytes_read: int = 0
    first_malformed: list[RowNote] = field(default_factory=list[RowNote])
    first_warnings: list[RowNote] = field(default_factory=list[RowNote])
    remarks: list[str] = field(default_factory=list[str])
    _once: dict[tuple[Path, str], RowNote] = field(default_factory=dict[tuple[Path, str], RowNote])

    @property
    def notes(self) -> list[str]:
        """All remarks, and the first malformed rows and warnings."""
        return [*self.remarks, *map(str, self.first_malformed), *map(str, self.first_warnings)]

    def add(self, path: Path, line: int | None, reason: str) -> None:
        """Count a malformed row, which the reader leaves out."""
        self.malformed += 1
        if len(self.first_malformed) < LISTED:
            self.first_malformed.append(RowNote(path, line, reason))

    def warn(self, path: Path, line: int | None, reason: str) -> RowNote:
        """Count a row that is used although it was repaired or looks odd."""
        note = RowNote(path, line, reason)
        self.warnings += 1
        if len(self.first_warnings) < LISTED:
            self.first_warnings.append(note)
        return note

    def ignore(self, path: Path, line: int, names: Iterable[str]) -> None:
        """Count keys or attributes that are left out of a row; each name is one warning a file."""
        for name in names:
            self.warn_once(path, line, f"ignored {shown(name)}")

    def warn_once(self, path: Path, line: int | None, reason: str) -> None:
        """Count a row like any other of the same reason, which together are one warning a file."""
        known = self._once.get((path, reason))
        if known is not None:
            known.rows += 1
        elif len(self._once) < _MOST_REASONS:
            self._once[path, reason] = self.warn(path, line, reason)

    def raise_if_malformed(self) -> None:
        """Refuse the file if any row was malformed.

        Raises:
            InputError: A row was malformed; the message lists the first of them and counts all.
        """
        if not self.first_malformed:
            return
        first, *others = self.first_malformed
        listed = "; ".join([first.reason, *map(str, others)])
        unlisted = self.malformed - len(self.first_malformed)
        more = f"; and {unlisted} more" if unlisted else ""
        raise InputError(
            first.place,
            f"{listed}{more}. {counted(self.malformed, 'malformed row')} in all.",
            "Fix the file, or pass `skip_malformed` to go on without them.",
        )


def parse_rows(
    path: Path,
    report: ReadReport,
    rows: Iterable[tuple[int, Row]],
    parse: Callable[[Row], Parsed],
) -> Iterator[tuple[int, Parsed]]:
    """Parse numbered rows; those for which `parse` raises `RowError` are reported and left out."""
    for line, row in rows:
        try:
            parsed = parse(row)
        except RowError as error:
            report.add(path, line, str(error))
        else:
            yield line, parsed


def parse_items(
    path: Path,
    report: ReadReport,
    rows: Iterable[tuple[int, Row]],
    parse: Callable[[Row], tuple[Item, Sequence[str]]],
    spelled: Callable[[str], str] = str,
) -> Iterator[Item]:
    """Parse numbered rows into items; a row that repeats an id is malformed.

    Args:
        parse: Returns the item, and the names of attributes that were left out.
        spelled: Gives ids that mean the same one form.
    """
    seen: dict[str, str] = {}

    def parse_new(row: Row) -> tuple[Item, Sequence[str]]:
        item, dropped = parse(row)
        key = spelled(item.id)
        first = seen.get(key)
        if first is not None:
            told = "" if first == item.id else f" as {shown(first)}"
            raise RowError(f"id {shown(item.id)} was given before{told}")
        seen[key] = item.id
        return item, dropped

    for line, (item, dropped) in parse_rows(path, report, rows, parse_new):
        report.ignore(path, line, dropped)
        yield item


def check_known(item: str, known: Container[str] | None) -> None:
    """Raise `RowError` if an item is not in the catalogue; `None` allows any."""
    if known is not None and item not in known:
        raise RowError(f"item {shown(item)} is not in the catalogue")


def shown(value: object) -> str:
    """Return a value from a file for use in a message: quoted, escaped and short."""
    try:
        text = repr(value)
    except RecursionError:  # JSON was read that is nested almost as deeply as can be
        text = "…"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
