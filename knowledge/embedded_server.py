"""Creates, starts and stops the server of `embedded.py`, whose lock its callers hold.

It listens on a Unix socket in a directory that is closed to other users, and lets in by the name
of the system account ("peer"), so that there is no password to lose.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psutil

from .embedded_programs import MAJOR, Programs

_PORT = "5432"
_SOCKET = f".s.PGSQL.{_PORT}"
_SOCKETS_PREFIX = "re2llm-socket-"
_LONGEST_SOCKET = 103
"""Bytes of a Unix socket's path: the limit of macOS; Linux allows four more."""
_PATIENCE = 60.0
_LOOK_AGAIN = 0.01


class Postmaster(NamedTuple):
    """The server's main process, as `postmaster.pid` describes it."""

    pid: int
    sockets: Path
    ready: bool


class EmbeddedServer:
    """The server of one data directory of PostgreSQL.

    Args:
        folder: The data directory, without symbolic links.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = folder / "postmaster.pid"
        self._programs = Programs(folder)

    def create(self) -> None:
        """Create the data directory if there is none. A crash leaves all of it or nothing.

        Raises:
            OSError: It cannot be created, or is another version's.
        """
        version = self._folder / "PG_VERSION"
        if version.exists():
            if (found := version.read_text().strip()) != MAJOR:
                raise OSError(
                    f"{self._folder} is from PostgreSQL {found}, but this is {MAJOR}: "
                    "upgrade it with pg_upgrade, or set RE2LLM_HOME to a new directory"
                )
            return
        prefix = f".{self._folder.name}-new-"
        for left in self._folder.parent.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        new = self._private_directory(prefix, self._folder.parent)
        try:
            # The same locale everywhere, so that the order of texts never depends on the machine.
            locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            options = ("--username=postgres", "--encoding=UTF8", "--auth=peer", *locale)
            self._programs.run(["initdb", *options, "-D", str(new)])
            new.rename(self._folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def start(self) -> str:
        """Return the URL of the server, which is started if it does not run.

        Raises:
            OSError: It does not start.
        """
        running = self._postmaster()
        if running and running.ready and not self._is_private(running.sockets):
            self.stop()  # started by an earlier version of this package
        return _url(self._wait_until_ready())

    def running_url(self) -> str | None:
        """Return the URL of the server if it runs."""
        running = self._postmaster()
        return _url(running) if running and running.ready else None

    def stop(self) -> None:
        """Stop the server if it runs; what is under way is rolled back."""
        if (running := self._postmaster()) is None:
            return
        os.kill(running.pid, signal.SIGINT)
        end = time.monotonic() + _PATIENCE
        while self._postmaster() and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN)
        _remove_sockets(running.sockets)

    def _wait_until_ready(self) -> Postmaster:
        pid, logged = None, 0
        log = self._folder / "log"
        end = time.monotonic() + _PATIENCE
        try:
            while time.monotonic() < end:
                running = self._postmaster()
                if running and running.ready:
                    return running
                if running is None and (pid is None or not _alive(pid)):
                    if pid is not None:
                        _raise_unless_passing(log.read_bytes()[logged:].decode(errors="replace"))
                    logged = log.stat().st_size if log.exists() else 0
                    pid = self._launch()
                time.sleep(_LOOK_AGAIN)
        except BaseException:
            if pid is not None and _alive(pid):
                os.kill(pid, signal.SIGTERM)
            raise
        raise TimeoutError(f"it was not ready after {_PATIENCE:.0f} seconds")

    def _launch(self) -> int:
        """Start the server, and return the number of its process."""
        if left := self._read_mark():
            _remove_sockets(left.sockets)
        for path in (*self._folder.glob(f"{_SOCKET}*"), self._mark):
            path.unlink(missing_ok=True)
        names = {pwd.getpwuid(os.geteuid()).pw_name, self._programs.account.pw_name}
        self._write("pg_ident.conf", "".join(f're2llm "{name}" all\n' for name in names))
        self._write("pg_hba.conf", "local all all peer map=re2llm\n")
        sockets = str(self._sockets()).replace('"', '""')
        options = (
            "listen_addresses=",
            f'unix_socket_directories="{sockets}"',
            "unix_socket_permissions=0700",
            f"port={_PORT}",
            "lc_messages=C",
        )
        server = ["postgres", "-D", str(self._folder), *(f"--{option}" for option in options)]
        return self._programs.launch(server, self._folder, "log")

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.unlink(missing_ok=True)  # the server's account may have made it a link
        with path.open("x") as file:
            file.write(text)
            self._programs.hand_over(file.fileno())

    def _sockets(self) -> Path:
        """Return a private directory for the socket: a new one if the usual path does not do."""
        if _holds_socket(self._folder):
            return self._folder
        # Only the place: the directory itself is made again, for this account alone.
        shared = "/tmp"  # noqa: S108  # nosec B108
        for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), shared):
            made = Path(base or "").absolute() / f"{_SOCKETS_PREFIX}{'x' * 8}"
            if base and os.access(base, os.W_OK) and _holds_socket(made):
                return self._private_directory(_SOCKETS_PREFIX, made.parent)
        raise OSError("no directory has a path short enough for a Unix socket: set TMPDIR to one")

    def _private_directory(self, prefix: str, parent: Path) -> Path:
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self._programs.hand_over(made)
        return made

    def _postmaster(self) -> Postmaster | None:
        """Return the running server, if there is one."""
        found = self._read_mark()
        return found if found and _alive(found.pid, self._folder) else None

    def _read_mark(self) -> Postmaster | None:
        try:
            lines = os.fsdecode(self._mark.read_bytes()).split("\n")
        except OSError:  # none runs, or it has just stopped
            return None
        lines += [""] * 8  # written by half
        pid = lines[0].strip().removeprefix("-")
        if not pid.isdecimal():
            return None
        return Postmaster(int(pid), Path(lines[4]), ready=lines[7].strip() == "ready")

    def _is_private(self, sockets: Path) -> bool:
        return sockets == self._folder or _is_ours(sockets)


def _url(running: Postmaster) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(running.sockets))}&port={_PORT}"


def _raise_unless_passing(said: str) -> None:
    """Raise what the server said when it ended, unless it may start a moment later."""
    # A query of a server that was killed may run on, and keeps others out until it ends.
    if "still in use" in said:
        time.sleep(0.1)
        return
    lines = said.strip().splitlines() or ["it ended without a word"]
    raise OSError(next((line for line in lines if "FATAL" in line), lines[-1]))


def _alive(pid: int, folder: Path | None = None) -> bool:
    """Tell whether a process runs; with a folder, whether it is the server of that folder."""
    try:
        process = psutil.Process(pid)
        # A dead process keeps its number for a while, and then it may go to another program.
        return process.status() != psutil.STATUS_ZOMBIE and (
            folder is None
            or (process.name().startswith("postgres") and folder.samefile(process.cwd()))
        )
    except (psutil.Error, OSError):
        return False


def _holds_socket(folder: Path) -> bool:
    path = os.fsencode(folder / _SOCKET)
    # A comma separates hosts in a URL; what is not UTF-8 cannot be written into one.
    return len(path) <= _LONGEST_SOCKET and b"," not in path and str(folder).isprintable()


def _is_ours(sockets: Path) -> bool:
    return sockets.name.startswith(_SOCKETS_PREFIX)


def _remove_sockets(sockets: Path) -> None:
    """Remove a directory that was made for a socket alone."""
    if _is_ours(sockets):
        for path in sockets.glob(f"{_SOCKET}*"):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it is gone, or holds something that is not ours
            sockets.rmdir()
