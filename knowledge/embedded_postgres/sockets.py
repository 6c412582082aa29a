"""Where the embedded server listens: the path of a Unix socket may be neither long nor odd."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

PORT = "5432"
SOCKET = f".s.PGSQL.{PORT}"
SOCKETS_PREFIX = "re2llm-socket-"
_LONGEST_SOCKET = 103
"""Bytes of a Unix socket's path: the limit of macOS; Linux allows four more."""


def holds_socket(folder: Path) -> bool:
    """Tell whether a socket in a folder can be reached by a URL."""
    path = os.fsencode(folder / SOCKET)
    # A comma separates hosts in a URL; what is not UTF-8 cannot be written into one.
    return len(path) <= _LONGEST_SOCKET and b"," not in path and str(folder).isprintable()


def base_for_sockets() -> Path:
    """Return where to make a directory for a socket.

    Raises:
        OSError: All paths are too long.
    """
    # Only the place: the directory itself is made again, for this account alone.
    shared = "/tmp"  # noqa: S108  # nosec B108
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), shared):
        made = Path(base or "").absolute() / f"{SOCKETS_PREFIX}{'x' * 8}"
        if base and os.access(base, os.W_OK) and holds_socket(made):
            return made.parent
    raise OSError("no directory has a path short enough for a Unix socket: set TMPDIR to one")


def is_ours(sockets: Path) -> bool:
    """Tell whether a directory was made for a socket alone."""
    return sockets.name.startswith(SOCKETS_PREFIX)


def remove_sockets(sockets: Path) -> None:
    """Remove a directory that was made for a socket alone."""
    if is_ours(sockets):
        for path in sockets.glob(f"{SOCKET}*"):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it is gone, or holds something that is not ours
            sockets.rmdir()
