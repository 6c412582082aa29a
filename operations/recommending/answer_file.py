"""A file of answers, one per line, that grows; what was cut off in the middle is repaired."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ...data.files import LONGEST_LINE, is_endless
from ...errors import InputError, reason_of

_BATCH = 1000
_FAR = 2**62
_START = b'{"row": '
"""How each line begins."""


class AnswerFile:
    """Answers in the order of their rows.

    Parquet cannot grow, so its answers wait in a file beside it until all are there.

    Args:
        path: JSONL, or Parquet by its name.

    Attributes:
        count: Answers in it.
        asked: What they answer, as `requests_digest` finds it in the rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.asked = requests_digest(())
        self._parquet = path.suffix.lower() == ".parquet"
        self._growing = path.with_name(f"{path.name}.part.jsonl") if self._parquet else path

    def open(self) -> None:
        """Open it, and cut off a last line that is not whole.

        Raises:
            InputError: It cannot be written, is complete, holds something else, or is in use.
        """
        if self._parquet:
            _pyarrow(self.path)
        try:
            self._require_unfinished()
            if is_endless(self._growing):
                problem = f"{self._growing} is a device or a pipe, which cannot be read again."
                raise InputError("answers", problem, "Name a file: a later run goes on with it.")
            self._growing.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._growing.open("a+b")
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._hold()
            self._require_unfinished()  # the run that held it may have ended just now
            self._repair()
        except OSError as error:
            self._file.close()
            raise self._unwritable(error) from error
        except BaseException:
            self._file.close()
            raise

    def _hold(self) -> None:
        """Lock the file for this handle alone, until it is closed."""
        try:
            if sys.platform == "win32":
                import msvcrt  # noqa: PLC0415  # Windows only

                self._file.seek(_FAR)  # a locked byte cannot be read, so it is one beyond the text
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl  # noqa: PLC0415  # Unix only

                # Not `lockf`: that lock ends when the process closes any handle of the file.
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            problem = f"Another process writes {self.path}."
            raise InputError("answers", problem, "Name another file.") from error

    def _require_unfinished(self) -> None:
        if self._parquet and self.path.exists():
            raise InputError("answers", f"{self.path} is there already.", "Name another file.")

    def _unwritable(self, error: OSError) -> InputError:
        problem = f"{self._growing} cannot be written ({reason_of(error)})."
        return InputError("answers", problem, "Name another file.")

    def _repair(self) -> None:
        whole = 0

        def requests() -> Iterator[str]:
            nonlocal whole
            while line := self._file.readline(LONGEST_LINE + 1):
                answer = _answer(line)
                if answer is None:
                    return
                whole += len(line)
                self.count += 1
                yield answer["request"]

        self._file.seek(0)
        self.asked = requests_digest(requests())
        self._file.seek(whole)
        rest = self._file.read(LONGEST_LINE + 1)
        begun = _START.startswith(rest[: len(_START)])
        if not begun or b"\n" in rest or len(rest) > LONGEST_LINE:
            raise InputError(
                "answers", f"{self.path} holds something else than answers.", "Name another file."
            )
        self._file.truncate(whole)

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
        finished = complete and self._parquet
        with self._file:
            os.fsync(self._file.fileno())
            if finished:
                self._write_parquet()
        if finished:  # a reader in between sees that the answers are complete
            self._growing.unlink()

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

    def _tables(self) -> Iterator[list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        self._file.seek(0)
        for line in self._file:
            answer = json.loads(line)
            error = answer.get("error")
            items = [item["id"] for item in answer.get("items", [])]
            said = None if error is None else f"{error['field']}: {error['problem']}"
            rows.append({**answer, "items": items, "error": said})
            if len(rows) == _BATCH:
                yield rows
                rows = []
        yield rows


def requests_digest(requests: Iterable[str]) -> str:
    """Return a digest of the `request` of rows, or of answers, in their order."""
    digest = hashlib.sha256()
    for request in requests:
        digest.update(f"{request}\n".encode())
    return digest.hexdigest()


def _answer(line: bytes) -> Mapping[str, Any] | None:
    """Return the answer in a whole line of ours."""
    if not line.endswith(b"\n"):
        return None
    try:
        answer: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    found = cast("dict[str, Any]", answer)
    return found if {"row", "key"} <= found.keys() and type(found.get("request")) is str else None


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            "answers",
            f"{path} would be a Parquet file, and pyarrow, which writes it, is not installed.",
            "Install it with: pip install 're2llm[parquet]'. Or name a JSONL file.",
        ) from error
