"""Embeddings kept on disk, so that no command embeds a text that an earlier one has."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...arrays import Floats32
from ...forks import Inherited

_log = logging.getLogger(__name__)
_AT_ONCE = 500
_PATIENCE = 5.0  # seconds to wait for another process that writes


class EmbeddingCache(Inherited):
    """A SQLite file of text digests and vectors, shared by threads and processes.

    It is a cache: whatever goes wrong with the file costs time, never an answer.

    Args:
        path: The file; made if it is missing.
        encoder: Id of the encoder, so that another one's vectors are never taken for its own.
    """

    def __init__(self, path: Path, encoder: str) -> None:
        super().__init__()
        self._path = path
        self._encoder = encoder
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None
        self._parents = list[object]()
        self._is_parents = False
        self._open()

    def forget_parent(self) -> None:
        """Open the file again in a forked process: SQLite's locks are the parent's."""
        self._parents.append(self._file)
        self._lock = threading.Lock()
        self._is_parents = True

    def _open(self) -> None:
        path = self._path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.chmod(0o600)  # SQLite gives its other files the same mode
            self._file = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = OFF")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS embedding (key BLOB PRIMARY KEY, vector BLOB)"
            )
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def get(self, texts: Sequence[str]) -> dict[str, Floats32]:
        """Return the known vectors by text; shape `[384]` each."""
        by_key = {self._key(text): text for text in texts}
        keys = list(by_key)
        found: dict[str, Floats32] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            # Question marks alone; the keys are bound to them.
            query = f"SELECT key, vector FROM embedding WHERE key IN ({marks})"  # noqa: S608  # nosec B608
            for key, vector in self._run(query, some):
                found[by_key[key]] = np.frombuffer(vector, dtype=np.float32)
        return found

    def put(self, vectors: Mapping[str, Floats32]) -> None:
        """Keep texts' vectors.

        Args:
            vectors: Each of shape `[384]`, by text.
        """
        rows = [(self._key(text), vector.tobytes()) for text, vector in vectors.items()]
        with self._lock:
            if (file := self._own()) is None:
                return
            try:
                with file:
                    file.executemany("INSERT OR IGNORE INTO embedding VALUES (?, ?)", rows)
            except sqlite3.Error as error:
                self._give_up(error)

    def _run(self, query: str, values: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        with self._lock:
            if (file := self._own()) is None:
                return []
            try:
                return file.execute(query, values).fetchall()
            except sqlite3.Error as error:
                self._give_up(error)
                return []

    def _own(self) -> sqlite3.Connection | None:
        if self._is_parents:
            self._is_parents = False
            self._open()
        return self._file

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._encoder}\0{text}".encode()).digest()

    def _give_up(self, error: Exception) -> None:
        _log.warning("embeddings cannot be cached: %s", error)
        self._file = None
