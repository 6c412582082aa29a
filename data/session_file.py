"""Sessions as JSONL, the interface that stays stable.

One session a line, either `{"history": [ids], "target": id or null, "candidates": [ids] or null}`
or a bare list of ids whose last one is the target. Ids are strings or integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..records import Session
from .checks import check_known
from .json_rows import as_id, as_ids, as_object, read_json_lines
from .malformed import ReadReport, RowError, shown

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

_KEYS = frozenset({"history", "target", "candidates"})
_FEWEST_CANDIDATES = 2
_SHORTEST_LIST = 2


def read_sessions(
    path: Path, report: ReadReport, *, known: Container[str] | None = None
) -> Iterator[Session]:
    """Stream the sessions of a file.

    A history may repeat an item. Candidates that repeat one keep the first and earn a warning, as
    do keys that mean nothing here. Malformed are: what is no JSON or gives a key twice, no or an
    empty history, ids that are neither text nor whole numbers, fewer than two different
    candidates, and a target that is not among the candidates.

    Args:
        path: The file, plain or gzip-compressed.
        report: Gets the malformed rows, the warnings and the bytes read.
        known: The catalogue's item ids, or `None` to accept any; a row with another is malformed.

    Yields:
        The sessions in the order of the file.

    Raises:
        InputError: The file is missing, unreadable, empty or binary.
    """
    for line, value in read_json_lines(path, report):
        try:
            session, remark = _session(value)
            if known is not None:
                _check_items(session, known)
        except RowError as error:
            report.add(path, line, str(error))
        else:
            if remark:
                report.warn(path, line, remark)
            yield session


def _session(value: object) -> tuple[Session, str]:
    """Return the session of a row, and a remark if something was dropped."""
    if isinstance(value, list):
        ids = as_ids(cast("object", value), "session")
        if len(ids) < _SHORTEST_LIST:
            raise RowError("holds fewer than two ids: a history and a target are needed")
        return Session(ids[:-1], ids[-1]), ""
    row = as_object(value)
    if row is None:
        raise RowError(f"{shown(value)} is neither an object nor a list of ids")
    if "history" not in row:
        raise RowError("has no history")
    history = as_ids(row["history"], "history")
    if not history:
        raise RowError("history is empty")
    target = None if row.get("target") is None else as_id(row["target"], "target")
    remarks: list[str] = []
    if unknown := sorted(row.keys() - _KEYS):
        remarks.append(f"ignored {', '.join(map(shown, unknown))}")
    candidates = None
    if row.get("candidates") is not None:
        given = as_ids(row["candidates"], "candidates")
        candidates = tuple(dict.fromkeys(given))
        if len(candidates) < len(given):
            remarks.append("dropped candidates that repeat an earlier one")
        _check_candidates(candidates, target)
    return Session(history, target, candidates), "; ".join(remarks)


def _check_candidates(candidates: tuple[str, ...], target: str | None) -> None:
    if len(candidates) < _FEWEST_CANDIDATES:
        raise RowError("has fewer than two different candidates")
    if target is not None and target not in candidates:
        raise RowError(f"target {shown(target)} is not among the candidates")


def _check_items(session: Session, known: Container[str]) -> None:
    target = () if session.target is None else (session.target,)
    for item in (*session.history, *target, *(session.candidates or ())):
        check_known(item, known)
