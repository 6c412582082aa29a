"""The embedded server in containers: few rights, processes that cannot be seen, new accounts."""

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from embedded_users import PATIENCE, kill, running, start, visit
from re2llm.errors import DatabaseError
from re2llm.knowledge.embedded_postgres import database as embedded
from re2llm.knowledge.embedded_postgres import programs as embedded_programs
from re2llm.knowledge.embedded_postgres import server as embedded_server
from re2llm.knowledge.embedded_postgres.database import running_embedded, start_embedded
from re2llm.knowledge.embedded_postgres.programs import Programs
from re2llm.knowledge.embedded_postgres.server import EmbeddedServer

RIGHTS = (
    *("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap"),
)
"""Of root in a container, as Docker makes it: it may not look into others' processes."""
AS_IN_DOCKER = ["setpriv", "--bounding-set", ",".join(["-all", *(f"+{name}" for name in RIGHTS)])]
APART = ["unshare", "--pid", "--ipc", "--mount-proc", "--fork", "--kill-child"]
"""With processes and shared memory of its own, as in another container on the same files."""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be in a container")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Short, since the path of a socket may not be long.
    path = Path(tempfile.mkdtemp(prefix="re2llm-"))
    visit(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def apart() -> list[str]:
    if (
        os.geteuid()
        or subprocess.run([*APART, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("only root with many rights can be in several containers")
    return APART


def leave(home: Path) -> None:
    """Leave as this process's end would."""
    embedded._leave(home.resolve() / "postgres")
    assert not running(home)


def claim(home: Path) -> int:
    """Hold what a server holds."""
    descriptor = os.open(home / "postgres" / "re2llm.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


@AS_ROOT
@pytest.mark.long
def test_root_with_the_rights_of_a_container_starts_it_and_joins_it(home: Path) -> None:
    before = visit(home)
    first = start(home, stay=PATIENCE, prefix=AS_IN_DOCKER)
    assert first.stdout is not None
    assert int(first.stdout.readline()) == before + 1
    [server] = running(home)
    assert visit(home, prefix=AS_IN_DOCKER) == before + 2
    assert running(home) == [server], "one for both"
    kill(first)
    assert visit(home, prefix=AS_IN_DOCKER) == before + 3
    assert not running(home)


def test_a_server_is_known_by_its_arguments_where_its_folder_may_not_be_seen(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    url = start_embedded(home)
    try:
        monkeypatch.setattr(psutil.Process, "cwd", denied)
        assert running_embedded(home) == url
        [server] = running(home)
        assert start_embedded(home) == url
        assert running(home) == [server]
    finally:
        leave(home)


def test_a_server_that_is_given_up_is_stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    usual = Programs.launch

    def noted(programs: Programs, *args: object) -> int:
        started.append(usual(programs, *args))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(Programs, "launch", noted)
    monkeypatch.setattr(embedded_server, "_PATIENCE", 0.5)
    monkeypatch.setattr(EmbeddedServer, "_postmaster", lambda _: None)
    with pytest.raises(DatabaseError, match="not ready"):
        start_embedded(home)
    monkeypatch.undo()
    end = time.monotonic() + PATIENCE
    [pid] = started
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.01)
    leave(home)
    assert visit(home)


@pytest.mark.long
def test_two_containers_run_no_two_servers_on_the_same_files(home: Path, apart: list[str]) -> None:
    before = visit(home)
    first = start(home, stay=PATIENCE, prefix=apart)
    assert first.stdout is not None
    assert int(first.stdout.readline()) == before + 1
    mark = (home / "postgres" / "postmaster.pid").read_text()
    second = start(home, prefix=apart)
    _, errors = second.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert "a server of another container uses it" in last
    assert "Stop that one first, or set RE2LLM_DATABASE_URL to your own server." in last
    assert (home / "postgres" / "postmaster.pid").read_text() == mark
    kill(first)  # the whole container, at once
    assert visit(home, prefix=apart) == before + 2


def test_a_claim_without_a_server_that_answers_is_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of what a killed server has left, or of one that listens where we cannot look."""
    held = claim(home)
    monkeypatch.setattr(embedded_server, "_PATIENCE", 2)
    try:
        with pytest.raises(DatabaseError, match=r"is left of a killed one.*Stop that one first"):
            start_embedded(home)
        assert not running(home)
        assert "still in use" in (home / "postgres" / "log").read_text().splitlines()[-1]
    finally:
        os.close(held)
    leave(home)
    assert visit(home)


def test_a_claim_with_a_server_that_answers_is_refused_at_once(home: Path) -> None:
    folder = home / "postgres"
    held = claim(home)
    nobody = 2**22  # no process has this number
    mark = f"{nobody}\n{folder}\n1\n5432\n{folder}\n\n  1 1\nready   \n"
    (folder / "postmaster.pid").write_text(mark)
    began = time.monotonic()
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / ".s.PGSQL.5432"))
            listening.listen()
            with pytest.raises(DatabaseError, match="another container"):
                start_embedded(home)
        assert (folder / "postmaster.pid").read_text() == mark
        assert (folder / ".s.PGSQL.5432").exists()
    finally:
        os.close(held)
    assert time.monotonic() - began < embedded_server._PATIENCE / 2
    embedded._leave(home.resolve() / "postgres")
    assert visit(home)


def test_a_killed_server_keeps_no_claim(home: Path) -> None:
    start_embedded(home)
    with pytest.raises(BlockingIOError):
        claim(home)
    [server] = running(home)
    server.send_signal(signal.SIGKILL)
    server.wait(PATIENCE)
    end = time.monotonic() + PATIENCE
    while True:
        with suppress(BlockingIOError):
            os.close(claim(home))
            break
        assert time.monotonic() < end
        time.sleep(0.01)
    leave(home)


@pytest.mark.parametrize("lost", ["socket", "directory"])
def test_a_server_whose_socket_is_gone_is_started_anew(home: Path, lost: str) -> None:
    """A logout takes XDG_RUNTIME_DIR, and cleaners take old files."""
    place = home
    if lost == "directory":
        deep = home.parent / f"{home.name}{'x' * 100}"
        home.rename(deep)
        place = deep
    try:
        url = start_embedded(place)
        [server] = running(place)
        host = Path(url.partition("host=")[2].partition("&")[0])
        assert (host / ".s.PGSQL.5432").exists()
        if lost == "directory":
            shutil.rmtree(host)
        else:
            (host / ".s.PGSQL.5432").unlink()
        start_embedded(place)
        server.wait(PATIENCE)
        assert running(place) != [server]
        assert visit(place)
    finally:
        leave(place)
        if place != home:
            place.rename(home)


@AS_ROOT
@pytest.mark.parametrize("usual", ["taken", "free"])
def test_a_data_directory_whose_account_is_missing_gets_one(
    tmp_path: Path, usual: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a new container, where accounts are made in another order."""
    name = "daemon" if usual == "taken" else "re2llmtest"
    monkeypatch.setattr(embedded_programs, "_ROOTS_ACCOUNT", name)
    known = {account.pw_uid for account in pwd.getpwall()}
    owner = next(uid for uid in range(700, 1000) if uid not in known)
    folder = tmp_path / "postgres"
    folder.mkdir()
    os.chown(folder, owner, -1)
    try:
        account = Programs(folder).account
        assert (account.pw_uid, account.pw_gid) == (owner, pwd.getpwuid(owner).pw_gid)
        assert account.pw_name == (name if usual == "free" else f"{name}{owner}")
        assert Programs(folder).account == account
    finally:
        with suppress(KeyError):
            made = pwd.getpwuid(owner).pw_name
            subprocess.run(["/usr/sbin/userdel", made], check=True, capture_output=True)
