"""What a reader could not use: malformed rows and warnings, each with its file and line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

LISTED = 10
"""How many malformed rows and warnings are kept word for word; the rest are only counted."""

_SHOWN_CHARACTERS = 60


class RowError(ValueError):
    """One row cannot be used; the message says why, without file and line."""


@dataclass(frozen=True, slots=True)
class RowNote:
    """A remark about one row of a file.

    Attributes:
        path: The file.
        line: The row's line, from 1, or `None` in a file that is not read by lines.
        reason: What is wrong with the row.
    """

    path: Path
    line: int | None
    reason: str

    @property
    def place(self) -> str:
        """The file and line as `file:line`."""
        return str(self.path) if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(slots=True)
class ReadReport:
    """Collects what streaming readers leave out, and how far they have come.

    A reader skips a malformed row and goes on; whoever asked for the rows decides afterwards
    whether to keep the others. Memory stays small however bad the file is.

    Attributes:
        malformed: How many rows were left out.
        warnings: How many rows were used after a repair, or look odd.
        bytes_read: Bytes consumed so far, for a progress bar (compressed bytes in a `.gz` file).
        first_malformed: The first `LISTED` rows that were left out.
        first_warnings: The first `LISTED` warnings.
    """

    malformed: int = 0
    warnings: int = 0
    bytes_read: int = 0
    first_malformed: list[RowNote] = field(default_factory=list[RowNote])
    first_warnings: list[RowNote] = field(default_factory=list[RowNote])

    def add(self, path: Path, line: int | None, reason: str) -> None:
        """Count a malformed row, which the reader leaves out.

        Args:
            path: The file.
            line: The line, from 1, or `None` in a file that is not read by lines.
            reason: What is wrong with the row.
        """
        self.malformed += 1
        if len(self.first_malformed) < LISTED:
            self.first_malformed.append(RowNote(path, line, reason))

    def warn(self, path: Path, line: int | None, reason: str) -> None:
        """Count a row that is used all the same.

        Args:
            path: The file.
            line: The line, from 1, or `None` in a file that is not read by lines.
            reason: What was repaired, or looks odd.
        """
        self.warnings += 1
        if len(self.first_warnings) < LISTED:
            self.first_warnings.append(RowNote(path, line, reason))

    def raise_if_malformed(self) -> None:
        """Refuse the file where any row was malformed.

        Raises:
            InputError: A row was malformed; the message lists the first of them and counts all.
        """
        if not self.first_malformed:
            return
        first, *others = self.first_malformed
        listed = "; ".join([first.reason, *map(str, others)])
        unlisted = self.malformed - len(self.first_malformed)
        more = f"; and {unlisted} more" if unlisted else ""
        noun = "row" if self.malformed == 1 else "rows"
        raise InputError(
            first.place,
            f"{listed}{more}. {self.malformed} malformed {noun} in all.",
            "Mend the file, or pass --skip-malformed to go on without them.",
        )


def shown(value: object) -> str:
    """Return a value from a file as it may stand in a message: quoted, escaped and short.

    Args:
        value: Anything that was read.
    """
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
