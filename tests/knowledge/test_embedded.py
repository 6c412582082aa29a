"""The embedded server after its users were killed, at whatever they were doing."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from embedded_users import PATIENCE, USER, kill, running, start, visit
from re2llm.knowledge import engine
from re2llm.knowledge.embedded_postgres.postmaster import Postmaster
from re2llm.knowledge.embedded_postgres.server import _url
from re2llm.knowledge.engine import database_url
from re2llm.settings import Settings
from sqlalchemy import make_url

SLOW = """
import os, signal, sys, threading
from re2llm.knowledge.embedded_postgres.programs import Programs
usual = Programs.launch

def slow(*args):
    pid = usual(*args)
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(float(sys.argv[3]), os.kill, (pid, signal.SIGCONT)).start()
    return pid

Programs.launch = slow
"""
"""Has the server take long to start."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Short, since the path of a socket may not be long.
    path = Path(tempfile.mkdtemp(prefix="re2llm-"))
    yield path
    for server in running(path):
        with suppress(psutil.NoSuchProcess):
            server.kill()
        server.wait()
    shutil.rmtree(path)


@pytest.mark.long
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
    assert {path.name for path in home.iterdir()} == {"postgres", ".postgres.lock"}
    assert not running(home)


@pytest.mark.long
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


@pytest.mark.long
def test_killed_users_keep_no_server_running_and_living_ones_do(home: Path) -> None:
    users = [start(home, stay=PATIENCE) for _ in range(2)]
    for user in users:
        assert user.stdout is not None
        user.stdout.readline()
    (home / ".postgres-old-copy").mkdir()  # somebody's own
    kill(users[0])
    visit(home)
    assert running(home), "a living user keeps it"
    kill(users[1])
    visit(home)
    assert not running(home)
    (home / ".postgres-old-copy").rmdir()


@pytest.mark.long
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


@pytest.mark.parametrize("wait", ["0.1", pytest.param("11", marks=pytest.mark.slow)])
def test_a_start_that_takes_long_is_waited_for(home: Path, wait: str) -> None:
    before = visit(home)
    slow = [sys.executable, "-c", SLOW + USER, str(home), "0", wait]
    done = subprocess.run(slow, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == before + 1


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.parametrize(
    "name",
    [
        "jane@corp.example",
        "GoogleDrive-jane@gmail.com",
        "a@b@c",
        "a; user=b & host=c",
        "a:5432",
        "100 %40 + [x] #1?",
        "Jos\u00e9's \\",
    ],
)
def test_its_address_may_hold_any_sign(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def started(home: Path) -> str:
        return _url(Postmaster(1, home / "postgres", ready=True))

    monkeypatch.setattr(engine, "start_embedded", started)
    home = Path("/home") / name / "re2llm"
    settings = Settings().model_copy(update={"home": home, "database_url": None})
    url = make_url(database_url(settings))
    _, parts = url.get_dialect()().create_connect_args(url)
    assert (parts["host"], parts["port"]) == (str(home / "postgres"), "5432")
