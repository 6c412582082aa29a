"""Processes that use an embedded server, each of which counts the visits before it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

USER = """
import sys, time
from collections.abc import Sequence
from pathlib import Path
import psycopg
from re2llm.knowledge.embedded_postgres.database import start_embedded

with psycopg.connect(start_embedded(Path(sys.argv[1])), autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS visit (id int)")
    connection.execute("INSERT INTO visit VALUES (1)")
    print(connection.execute("SELECT count(*) FROM visit").fetchone()[0], flush=True)
time.sleep(float(sys.argv[2]))
"""
"""Counts how many were there before it, itself included, and stays for some seconds."""
PATIENCE = 120


def start(
    home: Path, stay: float = 0, prefix: Sequence[str] = (), **options: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", USER, str(home), str(stay)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def visit(home: Path, **options: Any) -> int:
    user = start(home, **options)
    output, errors = user.communicate(timeout=PATIENCE)
    assert user.returncode == 0, errors
    return int(output)


def kill(user: subprocess.Popen[str]) -> None:
    os.killpg(user.pid, signal.SIGKILL)
    assert user.wait(PATIENCE) == -signal.SIGKILL
    user.communicate()


def running(home: Path) -> list[psutil.Process]:
    """Return the server's main process, if it runs."""
    mark = home / "postgres" / "postmaster.pid"
    with suppress(FileNotFoundError, psutil.NoSuchProcess):  # it may be ending
        return [psutil.Process(int(mark.read_text().split()[0]))]
    return []
