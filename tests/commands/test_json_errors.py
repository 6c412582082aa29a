"""With `--json`, standard output is one JSON document, whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from all_commands import COMMANDS
from re2llm.cli import app
from re2llm.commands.console import print_json, run
from re2llm.commands.groups import CommandGroup
from re2llm.commands.misuse import Misuse
from re2llm.commands.option_names import spelling
from re2llm.commands.options import JsonOption
from re2llm.errors import InputError
from typer.testing import CliRunner

AS_JSON = {
    words: command
    for words, command in COMMANDS.items()
    if any("--json" in one.opts for one in command.params)
}
IN_DOMAIN = [
    words
    for words, command in AS_JSON.items()
    if any(one.name == "domain" for one in command.params) and words not in {("load",), ("doctor",)}
]
"""`load` makes the domain, and `doctor` only notes that there is none."""


def as_json(words: tuple[str, ...]) -> list[str]:
    names = {one.name for one in AS_JSON[words].params}
    return ["--json", "-"] if "json_file" in names else ["--json"]


@pytest.mark.parametrize("words", AS_JSON, ids=" ".join)
def test_an_option_that_does_not_exist_is_an_error_in_json(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, *as_json(words), "--no-such-option"])
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["kind"] == "input"
    assert "no-such-option" in done.stderr.lower() or "Missing" in done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["recommend", "x", "-k", "0"],
            "-k: '0' does not fit. Give a whole number from 1 to 1000.",
        ),
        (["learn", "--max-hints", "x"], "--max-hints: 'x' does not fit. Give a whole number of"),
        (
            ["serve", "--port", "99999"],
            "--port: '99999' does not fit. Give a whole number from 0 to",
        ),
        (["measure", "--max-cost", "x"], "--max-cost: 'x' does not fit. Give a number of at least"),
        (
            ["hints", "approve", "1", "x"],
            "HINT: 'x' does not fit. Give a whole number of at most 2147483647.",
        ),
        (["autopilot", "on", "--goal", "x"], "--goal: 'x' does not fit. Give one of: better, not"),
        (["evaluate"], "--sessions: Missing option. Give --sessions FILE."),
        (["items", "show"], "ITEM: Missing argument. Give ITEM."),
        (["items", "show", "a", "b"], "arguments: There is no place for 'b'. `"),
        (["recommend", "--user"], "--user: It needs a value. `"),
        (["recommend", "--json=x"], "--json: It takes no value. `"),
        (
            ["recommend", "--domian", "x"],
            "--domian: There is no such option. Did you mean --domain",
        ),
        (["evaluate", "--json"], "--json: It needs a value. Name a file, or `-` to print."),
        (
            ["evaluate", "--json", "--sessions", "x"],
            "--json: It needs a value. Name a file, or `-` to print.",
        ),
        (
            ["rater", "evaluate", "--json", "--limit", "1"],
            "--json: It needs a value. Name a file, or `-` to print.",
        ),
        (["recommend", "--user", "--domain", "x"], "--user: It needs a value. `"),
        (["hints", "show"], "HINT: Missing argument. Give HINT. `re2llm hints list` shows what"),
        (["--nowhere"], "--nowhere: There is no such option. `"),
        (["lern"], "COMMAND: There is no 'lern'. Did you mean 'learn'? `"),
        (["hints", "lsit"], "COMMAND: There is no 'lsit'. Did you mean 'list'? `"),
    ],
)
def test_a_misused_command_ends_with_one_line(words: list[str], line: str) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (2, "")
    [told] = done.stderr.splitlines()
    assert told.startswith(f"error: {line}")
    done = CliRunner().invoke(app, [*words, "--json"])
    if not {"serve", "evaluate"} & {*words}:  # those that have `--json` without a value
        error = json.loads(done.stdout)["error"]
        assert told == f"error: {error['field']}: {error['problem']} {error['remedy']}"


VALUED = [
    (words, option)
    for words, command in COMMANDS.items()
    for one in command.params
    if one.param_type_name == "option" and not one.is_flag
    for option in one.opts
]


@pytest.mark.parametrize("instead", ["--seed=3", "--help", "--polices", "--json"])
def test_what_looks_like_an_option_is_no_value(
    instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would name a file, which would be written."""
    for words, option in VALUED:
        with pytest.raises(Misuse) as refused:
            COMMANDS[words].make_context(words[-1], [option, instead])
        assert (refused.value.error.field, refused.value.error.problem) == (
            option,
            "It needs a value.",
        )
        printed = capsys.readouterr().out
        if instead == "--json" and words in AS_JSON and as_json(words) == ["--json"]:
            assert json.loads(printed)["error"]["field"] == option
    assert len(VALUED) > 100


def test_an_option_in_the_place_of_a_file_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text('{"history": ["a"], "target": "b"}\n')
    asked = ["evaluate", "--sessions", str(sessions), "--json", "--seed=3"]
    done = CliRunner().invoke(app, asked)
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [sessions])


def test_a_value_that_looks_like_an_option_is_written_with_an_equals_sign() -> None:
    told = CliRunner().invoke(app, ["recommend", "x", "--user", "--me too"]).stderr
    assert told.rstrip().endswith("If --me too is the value, write `'--user=--me too'`.")
    command = COMMANDS["recommend",]
    context = command.make_context("recommend", ["x", "--user=--me too", "--policy", "-"])
    assert (context.params["user"], context.params["policy"]) == ("--me too", "-")
    context = command.make_context("recommend", ["--user", "-1", "--", "--user", "--domain"])
    assert (context.params["user"], context.params["history"]) == ("-1", ["--user", "--domain"])


_NEW = {"TEXT", "FILE", "KIND", "OWNER"}
"""Arguments that name nothing that is stored."""


@pytest.mark.parametrize(
    "words",
    [
        words
        for words, command in COMMANDS.items()
        if any(
            one.required and one.param_type_name == "argument" and spelling(one) not in _NEW
            for one in command.params
        )
    ],
    ids=" ".join,
)
def test_a_missing_argument_tells_where_to_find_what_it_names(words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, words).stderr
    named = re.search(r"`re2llm ([a-z ]+)([^`]*)` (shows what there is|answers with one)\.", told)
    assert named is not None, told
    assert tuple(named[1].split()) in COMMANDS


def test_a_group_alone_shows_its_help() -> None:
    assert "Commands:" in CliRunner().invoke(app, ["hints"]).stderr


def required(command: Any, folder: Path) -> list[str]:
    """Return what a command cannot do without: a file of sessions, a useful word, or a 1."""
    sessions = folder / "sessions.jsonl"
    sessions.write_text('{"history": ["a"], "target": "b"}\n')
    given: list[str] = []
    for one in command.params:
        if one.name == "domain" or not (one.required or one.name in _USEFUL):
            continue
        value = str(sessions) if one.name == "sessions" else _USEFUL.get(one.name, "1")
        given += [one.opts[0], value] if one.param_type_name == "option" else [value]
    return given


_USEFUL = {
    "release": "1",
    "picked": "x",
    "history": "x",
    "text": "Prefer.",
    "calls_per_day": "5",
    "cron": "0 3 * * *",
    "kind": "train",
}


@pytest.mark.parametrize("words", IN_DOMAIN, ids=" ".join)
async def test_a_domain_that_does_not_exist_is_an_error_in_json(
    words: tuple[str, ...], films: str, tmp_path: Path
) -> None:
    more = required(AS_JSON[words], tmp_path)
    asked = [*words, *more, *as_json(words), "--domain", "nowhere"]
    if words == ("domains", "delete"):
        asked = [*words, "nowhere", "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, asked)
    assert done.exit_code == 1, done.output
    error = json.loads(done.stdout)["error"]
    assert set(error) >= {"kind", "field", "problem", "remedy"}
    # `hints import` reads its file first.
    assert words == ("hints", "import") or error["field"] in {"--domain", "DOMAIN"}
    assert error["field"] in done.stderr
    assert error["problem"] in done.stderr


def test_an_error_behind_the_result_adds_nothing() -> None:
    group = CommandGroup()

    async def work() -> None:
        print_json({"done": 1})
        raise InputError("k", "It is odd.", "Leave `k` out.")

    async def fails() -> None:
        raise InputError("k", "It is odd.", "Leave `k` out.")

    @group.command("late")
    def late(as_json: JsonOption = False) -> None:
        run(work)

    @group.command("early")
    def early(as_json: JsonOption = False, k: Annotated[int, typer.Option("-k")] = 1) -> None:
        run(fails)

    done = CliRunner().invoke(group, ["late", "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"done": 1})
    done = CliRunner().invoke(group, ["early", "--json"])
    assert json.loads(done.stdout)["error"] == {
        "kind": "input",
        "field": "-k",
        "problem": "It is odd.",
        "remedy": "Leave -k out.",
    }
    assert CliRunner().invoke(group, ["early"]).stdout == ""


async def test_a_deletion_that_is_not_confirmed_is_an_error_in_json(films: str) -> None:
    asked = ["domains", "delete", films, "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, asked, "")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["field"] == "--yes"


@pytest.mark.parametrize(("more", "field"), [([], "ITEM"), (["Alien", "--none"], "--none")])
def test_feedback_on_nothing_or_on_both_is_refused(more: list[str], field: str) -> None:
    done = CliRunner().invoke(app, ["feedback", "some-id", *more, "--json"])
    assert json.loads(done.stdout)["error"]["field"] == field
