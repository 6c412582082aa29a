"""What `--help` of every command shows a person who has to write it."""

import errno
import re
from typing import Any

import pytest
import typer
from all_commands import COMMANDS
from re2llm.cli import app
from re2llm.commands.groups import CommandGroup
from typer.main import get_command
from typer.testing import CliRunner

TYPE = re.compile(r"[<>{}]")


def records(command: Any) -> list[tuple[str, str]]:
    """The rows of arguments and options in a command's help."""
    rows: list[tuple[str, str]] = []
    with command.make_context("re2llm", [], resilient_parsing=True) as context:
        formatter = context.make_formatter()
        formatter.write_dl = rows.extend
        command.format_options(context, formatter)
    return rows


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_to_write_is_named_by_a_persons_word(words: tuple[str, ...]) -> None:
    """No option or argument shows a type of Python, such as `<list[Path]>`."""
    command = COMMANDS[words]
    for left, right in records(command):
        assert not TYPE.search(left), left
        assert not re.search(r"x[<>]=|<=x", right), right
    usage = (
        CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "300"}).stdout.split("\n")[0]
    )
    assert not re.search(r"[{}<>]", usage)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_value_has_a_word_in_capitals_or_choices(words: tuple[str, ...]) -> None:
    for parameter in COMMANDS[words].params:
        if parameter.param_type_name == "option" and parameter.is_flag:
            continue
        assert re.fullmatch(r"[A-Z_=]+|[a-z]+(\|[a-z]+)+", parameter.metavar or ""), parameter.name


GROUPS = [words for words, command in COMMANDS.items() if hasattr(command, "commands")]


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_no_list_of_commands_is_cut_off_at_80_columns(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}).stdout
    assert not re.search(r"^  \w.*\.\.\.$", shown, re.MULTILINE)


def test_a_rollout_without_a_release_says_where_they_stand() -> None:
    assert "re2llm policy list" in CliRunner().invoke(app, ["policy", "canary"]).stderr


def test_every_command_that_ends_with_a_result_prints_it_as_json() -> None:
    without = {
        " ".join(words)
        for words, command in COMMANDS.items()
        if not hasattr(command, "commands")
        and not any("--json" in parameter.opts for parameter in command.params)
    }
    # The first is a show for people, the next three run until they are stopped, and the last one's
    # file is JSON.
    assert without == {"demo", "serve", "mcp", "worker", "hints export"}


def test_a_type_that_was_forgotten_would_be_found() -> None:
    forgetful = CommandGroup()

    @forgetful.command()
    def one(path: list[str] = typer.Option([])) -> None:  # noqa: B008  # pyright: ignore[reportUnusedFunction]
        ...

    assert any(TYPE.search(left) for left, _ in records(get_command(forgetful)))


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        # Also where its work has not begun, as while it is still importing.
        (KeyboardInterrupt(), 130, "Interrupted; nothing is half-written."),
        (OSError(errno.ENOSPC, "Disk full"), 1, "error: disk: The output cannot be written (Disk"),
        (
            PermissionError(errno.EACCES, "Permission denied", b"shop.jsonl"),
            *(1, "error: file: shop.jsonl cannot be used (Permission denied). Change its rights"),
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "out/answers.jsonl"),
            *(1, "error: file: out/answers.jsonl cannot be used (Read-only file system)."),
        ),
    ],
)
def test_a_command_ends_with_one_line(error: BaseException, code: int, line: str) -> None:
    group = CommandGroup()

    @group.command("long")
    def long() -> None:
        raise error

    @group.command("other")
    def other() -> None:
        """Make a group of two."""

    done = CliRunner().invoke(group, ["long"])
    assert done.exit_code == code
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert CliRunner().invoke(group, ["other"]).exit_code == 0


def test_an_error_that_no_person_can_put_right_keeps_its_trace() -> None:
    group = CommandGroup()

    @group.command("one")
    def one() -> None:  # pyright: ignore[reportUnusedFunction]
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    @group.command("other")
    def other() -> None:  # pyright: ignore[reportUnusedFunction]
        ...

    done = CliRunner().invoke(group, ["one"])
    assert isinstance(done.exception, ConnectionResetError)


def test_batch_means_provider_batches_alone() -> None:
    asking = {
        words for words, one in COMMANDS.items() if any("--batch" in p.opts for p in one.params)
    }
    assert asking == {("train",), ("evaluate",)}
