"""A file of answers, one per line, that grows; what was cut off in the middle is repaired."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from fasteners import InterProcessLock

from ...errors import InputError, reason_of

_BATCH = 1000
_LONGEST = 2**20
_START = b'{"row": '
"""How each line begins."""


class AnswerFile:
    """Answers in the order of their rows.

    Parquet cannot grow, so its answers wait in a file beside it until all are there.

    Args:
        path: JSONL, or Parquet by its name.

    Attributes:
        count: Answers in it.
        last: The last of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.last: Mapping[str, Any] | None = None
        self._parquet = path.suffix.lower() == ".parquet"
        self._growing = path.with_name(f"{path.name}.part.jsonl") if self._parquet else path
        self._lock = InterProcessLock(self._growing)

    def open(self) -> None:
        """Open it, and cut off a last line that is not whole.

        Raises:
            InputError: It cannot be written, is complete, holds something else, or is in use.
        """
        if self._parquet:
            _pyarrow(self.path)
            if self.path.exists():
                raise InputError("answers", f"{self.path} is there already.", "Name another file.")
        try:
            alone = self._lock.acquire(blocking=False)
            if alone:
                self._repair()
                self._file = self._growing.open("ab")
        except OSError as error:
            raise InputError(
                "answers",
                f"{self._growing} cannot be written ({reason_of(error)}).",
                "Name another file.",
            ) from error
        if not alone:
            raise InputError(
                "answers", f"Another process writes {self.path}.", "Name another file."
            )

    def _repair(self) -> None:
        whole = 0
        with self._growing.open("r+b") as file:
            for line in file:
                answer = _answer(line)
                if answer is None:
                    break
                whole += len(line)
                self.count += 1
                self.last = answer
            file.seek(whole)
            rest = file.read(_LONGEST)
            if rest and (b"\n" in rest or not rest.startswith(_START[: len(rest)])):
                raise InputError(
                    "answers",
                    f"{self.path} holds something else than answers.",
                    "Name another file.",
                )
            file.truncate(whole)

    def add(self, answer: Mapping[str, Any]) -> None:
        """Append an answer; a process that is killed after this has written it."""
        self._file.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        self.count += 1

    def close(self, *, complete: bool) -> None:
        """Close it.

        Args:
            complete: Whether all answers are there.
        """
        os.fsync(self._file.fileno())
        self._file.close()
        if complete and self._parquet:
            self._write_parquet()
        self._lock.release()

    def _write_parquet(self) -> None:
        arrow, parquet = _pyarrow(self.path)
        texts = arrow.list_(arrow.string())
        schema = arrow.schema(
            [
                ("row", arrow.int64()),
                ("key", arrow.string()),
                ("items", texts),
                ("recommendation_id", arrow.string()),
                ("hint", arrow.int64()),
                ("hints", arrow.list_(arrow.int64())),
                ("flags", texts),
                ("error", arrow.string()),
            ]
        )
        half = self.path.with_name(f"{self.path.name}.half")
        with parquet.ParquetWriter(half, schema) as writer:
            for rows in self._tables():
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
        half.replace(self.path)
        self._growing.unlink()

    def _tables(self) -> Iterator[list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        with self._growing.open("rb") as file:
            for line in file:
                answer = json.loads(line)
                error = answer.get("error")
                items = [item["id"] for item in answer.get("items", [])]
                said = None if error is None else f"{error['field']}: {error['problem']}"
                rows.append({**answer, "items": items, "error": said})
                if len(rows) == _BATCH:
                    yield rows
                    rows = []
        yield rows


def _answer(line: bytes) -> Mapping[str, Any] | None:
    """Return the answer in a whole line of ours."""
    if not line.endswith(b"\n"):
        return None
    try:
        answer: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    found = cast("dict[str, Any]", answer)
    return found if {"row", "key"} <= found.keys() else None


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            "answers",
            f"{path} would be a Parquet file, and pyarrow, which writes it, is not installed.",
            "Install it with: pip install 're2llm[parquet]'. Or name a JSONL file.",
        ) from error
