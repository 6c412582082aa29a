"""The JSONL file of traces, whose last line may have been cut off while it was written."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from ..data.files import LONGEST_LINE, is_endless
from ..errors import InputError

_KEYS = ("user", "item", "answer", "outcome")
_BEGINS = ('{"user": "', ', "item": "')
"""How a row begins; a text follows each."""
_THEN = tuple(
    f', "{key}": ' for key in ("model", "prompt_version", "outcome", "truth", "prompt", "answer")
)
"""What may follow."""


def read_traces(path: Path) -> list[dict[str, Any]]:
    """Return the traces of a JSONL file, none if it does not exist; a cut last line is left out.

    Raises:
        InputError: A line is not a trace.
    """
    rows, _ = read_with_cut(path)
    return rows


def read_with_cut(path: Path) -> tuple[list[dict[str, Any]], bytes]:
    """Return the traces of a file, and the beginning of one that was cut.

    Raises:
        InputError: A line is not a trace, or it is no file.
    """
    if not path.exists():
        return [], b""
    if is_endless(path):
        raise InputError(str(path), "is a device or a pipe, not a file of traces.", "Name a file.")
    rows: list[dict[str, Any]] = []
    with path.open("rb") as file:
        lines = iter(partial(file.readline, LONGEST_LINE + 1), b"")
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n") and len(line) <= LONGEST_LINE and _is_cut(line):
                return rows, line
            try:
                row = json.loads(line)
                rows.append({name: row[name] for name in _KEYS} | row)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(
                    f"{path}:{number}", "is not a trace.", "Name a file that `rater traces` wrote."
                ) from error
    return rows, b""


def end_with_a_whole_line(path: Path, cut: bytes) -> None:
    """Remove a cut trace, and end the last line, so that another may follow.

    Args:
        path: The file, which need not exist.
        cut: The result of `read_with_cut`.
    """
    if not path.exists():
        return
    size = path.stat().st_size - len(cut)
    os.truncate(path, size)
    with path.open("rb+") as file:
        file.seek(max(0, size - 1))
        if file.read() not in {b"", b"\n"}:
            file.write(b"\n")


def _is_cut(line: bytes) -> bool:
    """Whether a line is the beginning of a trace, and no more: anything else is not ours to cut."""
    text = line.decode(errors="ignore")  # it may end within a character
    at = 0
    for begins in _BEGINS:
        if not text.startswith(begins, at):
            return begins.startswith(text[at:])
        try:
            _, at = json.JSONDecoder().raw_decode(text, at + len(begins) - 1)
        except ValueError:
            return True
    rest = text[at:]
    if not any(then.startswith(rest) or rest.startswith(then) for then in _THEN):
        return False
    try:
        json.loads(line)
    except RecursionError:
        return False
    except ValueError:
        return True
    return False
