"""Sessions as JSONL; this format is a stable interface.

One session per line, either `{"history": [ids], "target": id or null, "candidates": [ids] or null}`
or a bare list of ids whose last one is the target. Ids are strings or integers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import cast

from ..records import Session
from .json_rows import as_id, as_ids, as_object, keys_of, read_json_lines, with_own_keys
from .malformed import ReadReport, RowError, check_known, parse_rows, shown

_KEYS = frozenset({"history", "target", "candidates"})
_FEWEST_CANDIDATES = 2
_SHORTEST_LIST = 2


def read_sessions(
    path: Path,
    report: ReadReport,
    *,
    known: Container[str] | None = None,
    targets: bool = False,
) -> Iterator[Session]:
    """Stream the sessions of a file.

    A history may repeat an item. Candidates that repeat one keep the first and earn a warning, as
    do unknown keys. Malformed are: invalid JSON or a repeated key, no or an empty history, ids that
    are neither text nor whole numbers, fewer than two different candidates, and a target that is
    not among the candidates.

    Args:
        path: The file, plain or gzip-compressed.
        report: Gets the malformed rows, the warnings and the bytes read.
        known: The catalogue's item ids, or `None` to accept any; a row with another is malformed.
        targets: Whether a row without a target is malformed, too.

    Yields:
        The sessions in the order of the file.

    Raises:
        InputError: The file is missing, unreadable, empty or binary.
    """
    numbered = numbered_sessions(path, report, known=known, targets=targets)
    for _, session in numbered:
        yield session


def numbered_sessions(
    path: Path,
    report: ReadReport,
    *,
    known: Container[str] | None = None,
    targets: bool = False,
    check: Callable[[Session], None] = lambda _: None,
) -> Iterator[tuple[int, Session]]:
    """Stream the sessions of a file, each with the number of its line; see `read_sessions`."""

    def parse(value: object) -> tuple[Session, bool, list[str]]:
        session, repeats, unknown = _session(value)
        if targets and session.target is None:
            raise RowError("has no target: give the item that came next")
        target = () if session.target is None else (session.target,)
        for item in (*session.history, *target, *(session.candidates or ())):
            check_known(item, known)
        check(session)
        return session, repeats, unknown

    rows = parse_rows(path, report, read_json_lines(path, report), parse)
    for line, (session, repeats, unknown) in rows:
        if repeats:
            report.warn(path, line, "dropped candidates that repeat an earlier one")
        report.ignore(path, line, unknown)
        yield line, session


def _session(value: object) -> tuple[Session, bool, list[str]]:
    """Return the session of a row, whether candidates were repeated, and unknown keys."""
    if isinstance(value, list):
        return _bare_session(as_ids(cast("object", value), "session")), False, []
    row = as_object(value)
    if row is None:
        raise RowError(f"{shown(value)} is neither an object nor a list of ids")
    row = with_own_keys(row, _KEYS)
    if "history" not in row:
        raise RowError(f"has no history{keys_of(row)}")
    history = as_ids(row["history"], "history")
    if not history:
        raise RowError("history is empty")
    target = None if row.get("target") is None else as_id(row["target"], "target")
    candidates, repeats = None, False
    if row.get("candidates") is not None:
        given = as_ids(row["candidates"], "candidates")
        candidates = tuple(dict.fromkeys(given))
        repeats = len(candidates) < len(given)
        if len(candidates) < _FEWEST_CANDIDATES:
            raise RowError("has fewer than two different candidates")
        if target is not None and target not in candidates:
            raise RowError(f"target {shown(target)} is not among the candidates")
    return Session(history, target, candidates), repeats, sorted(row.keys() - _KEYS)


def _bare_session(ids: tuple[str, ...]) -> Session:
    if len(ids) < _SHORTEST_LIST:
        raise RowError("holds fewer than two ids: a history and a target are needed")
    return Session(ids[:-1], ids[-1])
