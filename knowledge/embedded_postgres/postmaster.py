"""The main process of the embedded server: what it says of itself, and whether it lives."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from .sockets import SOCKET

_MARK_LINES = 8
_PRIVATE = 0o600


class HeldElsewhereError(OSError):
    """A server that cannot be seen from here uses the data directory."""


class Postmaster(NamedTuple):
    """The server's main process, as `postmaster.pid` describes it."""

    pid: int
    sockets: Path
    ready: bool

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.sockets / SOCKET

    def answers(self) -> bool:
        """Tell whether something listens at its socket, wherever that runs."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(os.fsencode(self.socket))
            except OSError:
                return False
        return True


def read_mark(mark: Path) -> Postmaster | None:
    """Return what `postmaster.pid` says, of a server that runs or was killed."""
    try:
        lines = os.fsdecode(mark.read_bytes()).split("\n")
    except OSError:  # none runs, or it has just stopped
        return None
    lines += [""] * _MARK_LINES  # written by half
    pid = lines[0].strip().removeprefix("-")
    if not pid.isdecimal():
        return None
    return Postmaster(int(pid), Path(lines[4]), ready=lines[7].strip() == "ready")


def alive(pid: int, folder: Path | None = None) -> bool:
    """Tell whether a process runs; with a folder, whether it is the server of that folder."""
    try:
        process = psutil.Process(pid)
        # A dead process keeps its number for a while, and then it may go to another program.
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return folder is None or (process.name().startswith("postgres") and _is_in(process, folder))
    except (psutil.Error, OSError):
        return False


def _is_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return folder.samefile(process.cwd())
    except psutil.AccessDenied:
        # Another account's; in most containers, root may not look there either.
        return str(folder) in process.cmdline()


@contextmanager
def claimed(path: Path) -> Generator[int | None]:
    """Claim a data directory for a server that is about to start.

    The claim is a lock on an open file. The server inherits it, so it ends with the last process
    of the server, however that ends. It keeps out servers of other containers, too: they share
    the files, but see neither each other's processes nor each other's shared memory.

    Args:
        path: The file, which stays.

    Yields:
        The descriptor that the server is to hold open, or `None` if another server has the claim.
    """
    # The server's account may have made it a link.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)
