"""Requests for recommendations, one per row, from JSONL or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from .files import read_lines
from .json_rows import as_id, as_ids, as_object, parse_json
from .malformed import ReadReport, RowError, shown
from .parquet_rows import is_parquet
from .table_rows import read_rows

_SHORTEST_LIST = 2
_FIELDS = ("history", "candidates", "key")


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request.

    Attributes:
        number: The line, or the row in a Parquet file, from 1.
        key: What the caller calls the request, or `None`.
        history: Ids or titles, oldest first.
        candidates: Ids or titles to rank, or `None`.
        problem: Why the row cannot be used; empty if it can.
        field: What the problem is about: `history`, `candidates`, `key`, or the `row` as a whole.
        missing: Whether the problem is that the field is not there.
    """

    number: int
    key: str | None = None
    history: tuple[str, ...] = ()
    candidates: tuple[str, ...] | None = None
    problem: str = ""
    field: str = "row"
    missing: bool = False


@dataclass(slots=True)
class _Losses(ReadReport):
    """Turns the lines that a reader leaves out into rows with a problem."""

    lost: list[RequestRow] = field(default_factory=list[RequestRow])

    def add(self, path: Path, line: int | None, reason: str) -> None:  # noqa: ARG002  # as in the base
        self.lost.append(RequestRow(line or 0, problem=reason))


def read_requests(path: Path) -> Iterator[RequestRow]:
    """Stream the rows of a file; one that cannot be used comes with its problem.

    A row holds `history`, and perhaps `candidates` and a `key`; other columns are ignored. A JSONL
    row may also be a session as a bare list of ids, whose last one is the target.

    Raises:
        InputError: The file is missing, unreadable, empty or binary.
    """
    losses = _Losses()
    rows = _parquet(path, losses) if is_parquet(path) else _json(path, losses)
    for row in rows:
        yield from losses.lost
        losses.lost.clear()
        yield row
    yield from losses.lost


def _json(path: Path, report: ReadReport) -> Iterator[RequestRow]:
    for number, line in read_lines(path, report):
        try:
            value = parse_json(line)
        except RowError as error:
            yield RequestRow(number, problem=str(error))
        else:
            yield _row(number, value)


def _parquet(path: Path, report: ReadReport) -> Iterator[RequestRow]:
    for number, row in read_rows(path, report, _FIELDS):
        yield _row(number, dict(row))


def _row(number: int, value: object) -> RequestRow:
    key: str | None = None
    at = "row"
    try:
        if isinstance(value, list):
            ids = as_ids(cast("object", value), "session")
            if len(ids) < _SHORTEST_LIST:
                raise RowError("holds fewer than two ids: a history and a target are needed")  # noqa: TRY301
            return RequestRow(number, history=ids[:-1])
        row = as_object(value)
        if row is None:
            raise RowError(f"{shown(value)} is neither an object nor a list of ids")  # noqa: TRY301
        at = "key"
        if row.get(at) is not None:
            key = as_id(row[at], at)
        at = "history"
        if row.get(at) is None:
            return RequestRow(number, key, problem="is missing", field=at, missing=True)
        history = as_ids(row[at], at)
        at = "candidates"
        candidates = None if row.get(at) is None else as_ids(row[at], at)
    except RowError as error:
        problem = str(error).removeprefix(at).removeprefix(":").strip()
        return RequestRow(number, key, problem=problem, field=at)
    return RequestRow(number, key, history, candidates)
