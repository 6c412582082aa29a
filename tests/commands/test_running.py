"""What every command shares: how its work is run."""

import asyncio
import gc
import os
from pathlib import Path

import pytest
from re2llm.cli import app
from re2llm.commands import console, files
from re2llm.errors import InputError
from typer.testing import CliRunner


def test_garbage_is_looked_for_as_usual_once_a_command_has_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = gc.get_threshold()
    seen: list[tuple[int, int, int]] = []

    async def work() -> None:
        seen.append(gc.get_threshold())
        await asyncio.sleep(0.01)
        seen.append(gc.get_threshold())

    monkeypatch.setattr(console, "_LOADING", 0.0)
    console.run(work)
    assert seen[0][0] > usual[0]
    assert seen[1] == gc.get_threshold() == usual


def test_it_is_after_a_command_that_failed() -> None:
    usual = gc.get_threshold()

    async def work() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        console.run(work)
    assert gc.get_threshold() == usual


@pytest.mark.parametrize(
    ("name", "why"), [("", "it is a folder"), ("none/out.json", "its folder does not exist")]
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, why: str
) -> None:
    with pytest.raises(InputError, match=rf"^--json: .* cannot be written \({why}\)\."):
        files.check_writable("--json", tmp_path / name)
    files.check_writable("--json", tmp_path / "new.json")
    files.check_writable("--json", Path("-"))
    files.check_writable("--json", None)
    assert list(tmp_path.iterdir()) == []  # to ask leaves nothing


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_neither_a_read_only_file_nor_one_in_a_read_only_folder_is_written(tmp_path: Path) -> None:
    (file := tmp_path / "old.json").touch(0o444)
    (folder := tmp_path / "folder").mkdir(0o555)
    for path in (file, folder / "new.json"):
        with pytest.raises(InputError, match=r"\(Permission denied\)"):
            files.check_writable("--json", path)


def test_an_evaluation_begins_only_if_its_results_can_be_written(
    films: str, tmp_path: Path
) -> None:
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text("no JSON")  # which would be refused next
    words = ["evaluate", "--domain", films, "--sessions", str(sessions)]
    done = CliRunner().invoke(app, [*words, "--json", str(tmp_path / "none" / "out.json")])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: --json: ")
