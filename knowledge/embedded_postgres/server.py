"""Creates, starts and stops the server of `database.py`, whose lock its callers hold.

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
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from .postmaster import HeldElsewhereError, Postmaster, alive, claimed, read_mark
from .programs import MAJOR, Programs
from .sockets import (
    PORT,
    SOCKET,
    SOCKETS_PREFIX,
    base_for_sockets,
    holds_socket,
    is_ours,
    remove_sockets,
)

_PATIENCE = 60.0
_LOOK_AGAIN = 0.01
_TELL_AT_TRY = 50
_CLAIM = "re2llm.lock"


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
        if running and running.ready and not self._is_reachable(running):
            self.stop()
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
        remove_sockets(running.sockets)

    def _wait_until_ready(self) -> Postmaster:
        pid, logged, kept_out = None, 0, 0
        log = self._folder / "log"
        end = time.monotonic() + _PATIENCE
        try:
            while time.monotonic() < end:
                running = self._postmaster()
                if running and running.ready:
                    return running
                if running is None and (pid is None or not alive(pid)):
                    if pid is not None:
                        _raise_unless_passing(log.read_bytes()[logged:].decode(errors="replace"))
                    logged = log.stat().st_size if log.exists() else 0
                    pid = self._launch()
                    kept_out = kept_out + 1 if pid is None else 0
                    if kept_out == _TELL_AT_TRY:
                        self._tell(log, "the data directory is still in use by another server")
                time.sleep(_LOOK_AGAIN)
            _give_up(kept_out > 0)
        except BaseException:
            if pid is not None and alive(pid):
                os.kill(pid, signal.SIGTERM)
            raise

    def _launch(self) -> int | None:
        """Start the server, and return the number of its process; `None` if another has the data.

        Raises:
            HeldElsewhereError: The other one serves, but not here.
        """
        left = read_mark(self._mark)
        with claimed(self._folder / _CLAIM) as claim:
            if claim is None:
                if left and left.answers():
                    raise HeldElsewhereError("a server of another container uses it")
                return None
            self._programs.hand_over(claim)
            return self._launch_with(claim, left)

    def _launch_with(self, claim: int, left: Postmaster | None) -> int:
        if left:
            remove_sockets(left.sockets)
        for path in (*self._folder.glob(f"{SOCKET}*"), self._mark):
            path.unlink(missing_ok=True)
        names = {pwd.getpwuid(os.geteuid()).pw_name, self._programs.account.pw_name}
        self._write("pg_ident.conf", "".join(f're2llm "{name}" all\n' for name in names))
        self._write("pg_hba.conf", "local all all peer map=re2llm\n")
        sockets = str(self._sockets()).replace('"', '""')
        options = (
            "listen_addresses=",
            f'unix_socket_directories="{sockets}"',
            "unix_socket_permissions=0700",
            f"port={PORT}",
            "lc_messages=C",
        )
        server = ["postgres", "-D", str(self._folder), *(f"--{option}" for option in options)]
        return self._programs.launch(server, self._folder, "log", claim)

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.unlink(missing_ok=True)  # the server's account may have made it a link
        with path.open("x") as file:
            file.write(text)
            self._programs.hand_over(file.fileno())

    def _tell(self, log: Path, words: str) -> None:
        """Add a line of ours to the server's log."""
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW  # as it may be a link
        with os.fdopen(os.open(log, append, 0o600), "w", encoding="utf-8") as file:
            self._programs.hand_over(file.fileno())
            file.write(f"re2llm: {words}\n")

    def _sockets(self) -> Path:
        """Return a private directory for the socket: a new one if the usual path does not do."""
        if holds_socket(self._folder):
            return self._folder
        return self._private_directory(SOCKETS_PREFIX, base_for_sockets())

    def _private_directory(self, prefix: str, parent: Path) -> Path:
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self._programs.hand_over(made)
        return made

    def _postmaster(self) -> Postmaster | None:
        """Return the running server, if there is one."""
        found = read_mark(self._mark)
        return found if found and alive(found.pid, self._folder) else None

    def _is_reachable(self, running: Postmaster) -> bool:
        # An earlier version of this package listened elsewhere. A logout takes the directory for
        # what runs, and cleaners take what is old in that for temporary files.
        private = running.sockets == self._folder or is_ours(running.sockets)
        return private and running.socket.exists()


def _url(running: Postmaster) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(running.sockets))}&port={PORT}"


def _give_up(kept_out: bool) -> NoReturn:
    if kept_out:
        raise HeldElsewhereError("another server, or what is left of a killed one, uses it")
    raise TimeoutError(f"it was not ready after {_PATIENCE:.0f} seconds")


def _raise_unless_passing(said: str) -> None:
    """Raise what the server said when it ended, unless it may start a moment later."""
    # A query of a server that was killed may run on, and keeps others out until it ends.
    if "still in use" in said:
        time.sleep(0.1)
        return
    lines = said.strip().splitlines() or ["it ended without a word"]
    raise OSError(next((line for line in lines if "FATAL" in line), lines[-1]))
