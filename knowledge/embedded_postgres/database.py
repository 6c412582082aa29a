"""The embedded PostgreSQL with pgvector that runs when no database URL is set.

All processes that use a data directory share one server: the first starts it, the last to leave
stops it. Each holds a shared file lock as long as it lives; the kernel releases it however the
process ends. Starting and stopping happen under a second, exclusive lock.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fasteners import InterProcessLock

from ...errors import DatabaseError
from ...forks import Inherited
from ...settings import NO_HOME

_ANY_WRITE_BIT = 0o222
_PATIENCE = 150.0
"""Seconds to wait for another process that starts or stops the server."""
_OTHER_PLACES = (
    "Set RE2LLM_HOME to a directory of yours, or RE2LLM_DATABASE_URL to your own server."
)
_held = dict[Path, IO[bytes]]()
"""For each data directory, the open file whose shared lock says that this process uses the
server."""


class _Starting(Inherited):
    """Lets one of this process's threads at a time start or stop a server."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def forget_parent(self) -> None:
        """Make a new lock in a forked process: a thread of the parent may hold the old one."""
        self.lock = threading.Lock()


_starting = _Starting()


def start_embedded(home: Path) -> str:
    """Start the server of a data directory, or join it. Blocks; takes a second the first time.

    It costs about a millisecond if the server is up, so call it again after a lost connection.

    Args:
        home: The data directory; created if it is missing, closed to other users.

    Returns:
        A `postgresql://` URL on a Unix socket that only this user can reach.

    Raises:
        DatabaseError: The directory cannot be written, or the server does not start.
    """
    if sys.platform == "win32":
        raise _failure(home, "there is none for Windows")
    # Unix only, and not needed by programs that bring a database.
    from .postmaster import HeldElsewhereError  # noqa: PLC0415
    from .server import EmbeddedServer  # noqa: PLC0415

    _require_writable(home)
    folder = (home / "postgres").resolve()
    try:
        with _alone(folder):
            server = EmbeddedServer(folder)
            server.create()
            _join(folder)
            return server.start()
    except HeldElsewhereError as error:
        raise _failure(home, str(error), "Stop that one first, or set") from error
    except (OSError, LookupError, threading.ThreadError) as error:
        log = folder / "log"
        hint = f"See {log}, or set" if log.exists() else "Set"
        raise _failure(home, str(error), hint) from error


def running_embedded(home: Path) -> str | None:
    """Return the URL of the server of a data directory if it runs; start nothing."""
    if sys.platform == "win32":
        return None
    from .server import EmbeddedServer  # noqa: PLC0415  # Unix only

    return EmbeddedServer((home / "postgres").resolve()).running_url()


def _failure(home: Path, why: str, hint: str = "Set") -> DatabaseError:
    return DatabaseError(
        "RE2LLM_HOME",
        f"The embedded PostgreSQL in {home} does not start ({why}).",
        f"{hint} RE2LLM_DATABASE_URL to your own server.",
    )


def _require_writable(home: Path) -> None:
    if home == NO_HOME:
        problem = "It is unset, and this account has no home directory."
        raise DatabaseError("RE2LLM_HOME", problem, _OTHER_PLACES)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Root may write anywhere; a directory without any write bit is still meant read-only.
        locked = not home.stat().st_mode & _ANY_WRITE_BIT or not os.access(home, os.W_OK)
    except OSError as error:
        raise _unwritable(home, error.strerror or str(error)) from error
    if locked:
        raise _unwritable(home, "read-only")


def _unwritable(home: Path, why: str) -> DatabaseError:
    return DatabaseError(
        "RE2LLM_HOME",
        f"The data directory {home} cannot be written ({why}).",
        _OTHER_PLACES,
    )


def _join(folder: Path) -> None:
    if folder not in _held:
        atexit.register(_leave, folder)
    # Again each time: the directory may have been removed, and the locked file with it.
    file = _users(folder)
    _flock(file, exclusive=False)
    if folder in _held:
        _held[folder].close()
    _held[folder] = file


def _leave(folder: Path) -> None:
    from .server import EmbeddedServer  # noqa: PLC0415

    if file := _held.pop(folder, None):
        file.close()
    # The directory is gone, or others use the server: a forked child has the lock of its parent.
    with suppress(OSError), _users(folder) as file, _alone(folder):
        _flock(file, exclusive=True)
        EmbeddedServer(folder).stop()


def _users(folder: Path) -> IO[bytes]:
    """Open the file that all users of the server lock: one that no other account can open."""
    return (folder / "PG_VERSION").open("rb")


def _flock(file: IO[bytes], *, exclusive: bool) -> None:
    import fcntl  # noqa: PLC0415  # Unix only

    fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Keep other threads and processes from starting or stopping the server."""
    path = folder.with_name(f".{folder.name}.lock")
    path.touch(mode=0o600)
    lock = InterProcessLock(path)
    with _starting.lock:
        if not lock.acquire(timeout=_PATIENCE):
            raise TimeoutError("another process has been starting it for minutes")
        try:
            yield
        finally:
            lock.release()
