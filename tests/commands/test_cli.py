"""The commands as a person runs them: in a process of its own where that makes a difference."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from re2llm.cli import app
from re2llm.data.sample import load_films
from re2llm.settings import get_settings
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
RE2LLM = Path(sys.executable).with_name("re2llm")
COMMANDS = [
    [],
    ["demo"],
    ["doctor"],
    ["load"],
    ["recommend"],
    ["evaluate"],
    ["costs"],
    ["purge"],
    ["domains"],
    ["domains", "list"],
    ["domains", "delete"],
    ["items"],
    ["items", "search"],
    ["items", "show"],
    ["sessions"],
    ["sessions", "list"],
    ["sessions", "drop"],
    ["hints"],
    ["hints", "add"],
    ["hints", "try"],
    ["hints", "verify"],
    ["hints", "list"],
    ["hints", "export"],
    ["hints", "import"],
    ["measure"],
    ["learn"],
    ["train"],
    ["feedback"],
    ["mcp"],
    ["rate"],
    ["keys"],
    ["keys", "create"],
    ["policy"],
    ["policy", "list"],
    ["rater"],
    ["rater", "train"],
    ["serve"],
    ["worker"],
    ["jobs"],
    ["jobs", "list"],
    ["jobs", "show"],
    ["jobs", "pause"],
    ["jobs", "resume"],
    ["jobs", "cancel"],
    ["jobs", "retry"],
    ["jobs", "schedule"],
    ["jobs", "schedules"],
    ["jobs", "unschedule"],
    ["autopilot"],
    ["autopilot", "on"],
    ["autopilot", "off"],
    ["autopilot", "show"],
    ["autopilot", "resume"],
    ["autopilot", "run-once"],
]
GROUPS = (
    *([], ["domains"], ["items"], ["sessions"], ["hints"], ["keys"], ["policy"], ["rater"]),
    *(["jobs"], ["autopilot"]),
)

Done = subprocess.CompletedProcess[str]


def run(*arguments: object, timeout: float = 120, **environment: str) -> Done:
    return subprocess.run(
        [str(RE2LLM), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def run_here(*arguments: object, **environment: str) -> Done:
    """Run a command in this process, which spares starting another."""
    get_settings.cache_clear()
    try:
        result = CliRunner().invoke(app, [*map(str, arguments)], env=environment)
    finally:
        get_settings.cache_clear()
    return Done(list(arguments), result.exit_code, result.stdout, result.stderr)


def assert_one_clear_line(done: Done, *named: str) -> None:
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: "), done.stderr
    for word in named:
        assert word in lines[0]
    assert done.stdout == ""


# Help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str]) -> None:
    done = run_here(*command, "--help", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    if command not in GROUPS:
        assert f"Example: re2llm {' '.join(command)}" in done.stdout


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_lists_of_commands_cut_off_no_sentence(group: list[str]) -> None:
    assert "..." not in run_here(*group, "--help", COLUMNS="80").stdout.split("Commands:")[1]


def test_every_command_is_covered_here() -> None:
    listed = re.findall(
        r"^│?\s{1,2}([a-z]+)\s", run("--help").stdout.split("Commands")[-1], re.MULTILINE
    )
    known = {command[0] for command in COMMANDS if command}
    assert known == set(listed), listed


def test_the_version_is_told_either_way() -> None:
    told = run("--version")
    assert re.fullmatch(r"\d+\.\d+\.\d+", told.stdout.strip())
    module = subprocess.run(
        [sys.executable, "-m", "re2llm", "--version"], capture_output=True, text=True, check=True
    )
    assert module.stdout == told.stdout


# Bad input


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "binary.jsonl").write_bytes(bytes(range(256)) * 40)
    (folder / "empty").mkdir()
    (folder / "items.jsonl").write_text('{"id": 1, "title": "One"}\n{"id": 2, "title": "Two"}\n')
    (folder / "broken.jsonl").write_text('{"id": 1, "title": "One"}\n{"id": 2, "ti\n')
    (folder / "empty-history.jsonl").write_text('{"history": [], "target": 1}\n')
    (folder / "one.jsonl").write_text('{"history": [1], "target": 2, "candidates": [2]}\n')
    (folder / "nameless.csv").write_text("id,price\n1,2\n")
    (folder / "unknown.jsonl").write_text('{"history": ["nobody"], "target": "heat-1995"}\n')
    return folder


def bad_inputs(folder: Path) -> dict[str, tuple[list[object], list[str]]]:
    recommend: list[object] = ["recommend", "--domain", "films"]
    many = [word for number in range(10_000) for word in ("--candidate", f"c{number}")]
    load: list[object] = ["load", "--domain", "new"]
    evaluate: list[object] = ["evaluate", "--domain", "films", "--sessions"]
    first, second = IDS[5], IDS[6]
    return {
        "unknown item": ([*recommend, "no-such-film"], ["ITEM", "no-such-film"]),
        "unknown candidate": (
            [*recommend, IDS[0], "--candidate", first, "--candidate", "no-such-film"],
            ["candidate", "no-such-film"],
        ),
        "empty history": ([*recommend, ""], ["ITEM"]),
        "undecodable item": ([*recommend, "\udcff\udcfe"], ["ITEM"]),
        "one candidate": ([*recommend, IDS[0], "--candidate", first], ["--candidate:", "1"]),
        "10,000 candidates": ([*recommend, IDS[0], *many], ["candidate"]),
        "a candidate twice": (
            [*recommend, IDS[0], *("--candidate", first, "--candidate", second) * 2],
            ["--candidate:", "twice"],
        ),
        "unknown domain": (["recommend", "--domain", "nowhere", "x"], ["--domain:", "nowhere"]),
        "unknown policy": ([*recommend, IDS[0], "--policy", "magic"], ["policy", "magic"]),
        "binary file": ([*load, "jsonl", folder / "binary.jsonl"], ["binary.jsonl", "binary"]),
        "binary sessions": (
            [*load, "jsonl", folder / "items.jsonl", "--sessions", folder / "binary.jsonl"],
            ["binary.jsonl", "binary"],
        ),
        "malformed row": ([*load, "jsonl", folder / "broken.jsonl"], ["broken.jsonl:2"]),
        "wrong folder": ([*load, "hetrec", folder / "empty"], [str(folder / "empty")]),
        "no folder": ([*load, "movielens", folder / "none"], ["none"]),
        "no path": ([*load, "movielens"], ["PATH: It is missing."]),
        "items without a title": (
            [*load, "--items", folder / "nameless.csv"],
            ["--title: No column", "columns are id, price"],
        ),
        "unknown data set": ([*load, "netflix", folder], ["netflix"]),
        "evaluate binary": ([*evaluate, folder / "binary.jsonl"], ["binary"]),
        "evaluate empty history": ([*evaluate, folder / "empty-history.jsonl"], [":1", "empty"]),
        "evaluate one candidate": ([*evaluate, folder / "one.jsonl"], [":1", "two"]),
        "evaluate unknown item": ([*evaluate, folder / "unknown.jsonl"], [":1", "nobody"]),
        "empty hint": (["hints", "add", "--domain", "films", "  "], ["TEXT"]),
        "long hint": (["hints", "add", "--domain", "films", "x" * 501], ["TEXT", "500"]),
    }


NAMES = list(bad_inputs(Path()))
ALONE = {"undecodable item", "10,000 candidates"}
"""Those that run in a process of their own, which costs seconds."""


@pytest.fixture(scope="module")
def outcomes(films: str, folder: Path, url: str) -> dict[str, Any]:
    """Run all bad inputs, and count the rows before and after."""
    import psycopg

    def count() -> dict[str, int]:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 're2llm'"
            ).fetchall()
            return {
                table: connection.execute(f"SELECT count(*) FROM re2llm.{table}").fetchone()[0]  # type: ignore[index]
                for (table,) in tables
            }

    before = count()
    done = {
        name: (run if name in ALONE else run_here)(*arguments)
        for name, (arguments, _) in bad_inputs(folder).items()
    }
    return {"done": done, "before": before, "after": count()}


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_one_clear_line(outcomes: dict[str, Any], folder: Path, name: str) -> None:
    assert_one_clear_line(outcomes["done"][name], *bad_inputs(folder)[name][1])


def test_bad_input_stores_nothing(outcomes: dict[str, Any]) -> None:
    assert outcomes["after"] == outcomes["before"]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["train", "--domain", "films", "--fuse", "x"], "--fuse: 'x' does not fit. Give one of"),
        (["evaluate", "--sessions", "s.jsonl", "--policies", "none,x"], "--policies: There is no"),
    ],
)
def test_a_choice_is_refused_by_the_name_of_its_option(more: list[str], line: str) -> None:
    assert run_here(*more).stderr.startswith(f"error: {line}")


@pytest.mark.parametrize("fuse", ["sum", "first_stage"])
def test_a_model_that_was_set_and_not_asked_is_told(films: str, fuse: str) -> None:
    asked = ("recommend", "--domain", "films", IDS[0], "-k", "1")
    env = {"RE2LLM_FUSE": fuse, "RE2LLM_MODEL": "openai:mine", "RE2LLM_API_KEY": "k"}
    done = run_here(*asked, **env)
    told = f"note: openai:mine was not asked: with RE2LLM_FUSE={fuse}, no model is."
    assert done.stderr.splitlines() == [told]
    assert run_here(*asked, "--json", **env).stderr == ""
    assert run_here(*asked, RE2LLM_FUSE=fuse).stderr == ""


# Databases that cannot be had


@pytest.fixture
def closed_port() -> int:
    return free_port()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield server.getsockname()[1]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["closed_port", "silent_port"])
def test_an_unreachable_database_is_told_soon(request: pytest.FixtureRequest, kind: str) -> None:
    port = request.getfixturevalue(kind)
    url = f"postgresql://someone:s3cret@127.0.0.1:{port}/db"
    started = time.monotonic()
    env = {"RE2LLM_DATABASE_URL": url, "RE2LLM_DATABASE_TIMEOUT": "2"}
    done = run_here("recommend", "--domain", "films", "x", **env)
    assert time.monotonic() - started < 20
    assert_one_clear_line(done, "RE2LLM_DATABASE_URL", str(port))
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("url", ["mysql://u:s3cret@h/d", "nonsense", "postgresql://u:s3cret@h:x/d"])
def test_what_is_no_postgres_url_is_told(url: str) -> None:
    done = run_here("hints", "list", RE2LLM_DATABASE_URL=url)
    assert_one_clear_line(done, "RE2LLM_DATABASE_URL")
    assert "s3cret" not in done.stderr


def test_a_read_only_data_directory_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = run_here("recommend", "x", RE2LLM_HOME=str(home))
    assert_one_clear_line(done, "RE2LLM_HOME", str(home))
    assert list(home.iterdir()) == []


def test_a_file_for_a_data_directory_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert_one_clear_line(run_here("hints", "list", RE2LLM_HOME=str(file)), "RE2LLM_HOME")


@pytest.mark.parametrize(
    ("name", "value"),
    [("RE2LLM_CANDIDATES", "many"), ("RE2LLM_POLICY", "magic"), ("RE2LLM_DATABASE_TIMEOUT", "-1")],
)
def test_a_setting_that_does_not_fit_is_named(name: str, value: str) -> None:
    assert_one_clear_line(run_here("hints", "list", **{name: value}), name)


# Good input


@pytest.mark.long
def test_the_whole_round(
    films: str, url: str, rows: Callable[[], dict[str, int]], tmp_path: Path
) -> None:
    """Load, add a hint, recommend and evaluate, as one would by hand.

    With the films of `films`, whose vectors are kept.
    """
    items = tmp_path / "items.jsonl"
    films = load_films()[:80]
    items.write_text(
        "\n".join(
            json.dumps({"id": film.id, "title": film.title, **film.item.attributes})
            for film in films
        )
    )
    ids = [film.id for film in films]
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(json.dumps(ids[at : at + 4]) for at in range(40)))
    domain = f"round-{tmp_path.name}"

    loaded = run_here("load", "jsonl", items, "--domain", domain, "--sessions", train, "--json")
    assert loaded.returncode == 0, loaded.stderr
    counts = json.loads(loaded.stdout)
    assert (counts["items"], counts["training_sessions"]) == (80, 40)

    hint = "Prefer films by directors from the history."
    added = run_here("hints", "add", "--domain", domain, hint, COLUMNS="200")
    assert added.returncode == 0, added.stderr
    assert hint in added.stdout
    listed = run_here("hints", "list", "--domain", domain, "--json")
    assert [row["text"] for row in json.loads(listed.stdout)] == [hint]

    before = rows()["recommendation"]
    done = run_here(
        "recommend", "--domain", domain, films[0].title.lower(), ids[1],
        "--policy", "similar", "-k", "3", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(answer["items"]) == 3
    assert answer["hint"]["text"] == hint
    assert rows()["recommendation"] == before + 1

    test = tmp_path / "test.jsonl"
    test.write_text("\n".join(json.dumps(ids[at : at + 5]) for at in range(50, 60)))
    out = tmp_path / "out.json"
    evaluated = run_here(
        "evaluate", "--domain", domain, "--sessions", test, "--policies", "none",
        "--baselines", "popularity", "--json", out,
    )  # fmt: skip
    assert evaluated.returncode == 0, evaluated.stderr
    document = json.loads(out.read_text())
    assert document["n"] == 10
    assert [row["name"] for row in document["rows"]] == ["none", "popularity"]
    for row in document["rows"]:
        for metric in ("hr@5", "ndcg@5", "hr@10", "ndcg@10", "mrr"):
            assert 0 <= row[metric] <= 1


@pytest.mark.long
def test_a_command_whose_streams_are_closed_ends_like_any_other() -> None:
    program = f'exec "{RE2LLM}" "$@" '
    for closed, words, code in (
        ("<&- >&- 2>&-", ["--version"], 0),
        ("<&-", ["rate", "--request", "-"], 1),
    ):
        done = subprocess.run(
            ["/bin/sh", "-c", program + closed, "sh", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == code  # one line, if there is an error


@pytest.mark.parametrize(
    "command",
    [
        "recommend Alien -k 1001",
        "items search Alien --count 1001",
        "learn --seed -1",
        "train --seed 4294967296",
        "evaluate --sessions x --seed -1",
        "evaluate --sessions x --permutations 10001",
        "rater evaluate --seed -1",
        "hints show 2147483648",
        "hints approve 1 2147483648",
        "hints verify 2147483648",
        "policy show 2147483648",
        "policy evaluate 2147483648",
        "policy canary 2147483648",
        "costs --days 99999999",
        "policy diff 1 2147483648",
        "learn --detach --max-llm-calls 3000000000",
        "learn --detach --max-tokens 9223372036854775808",
        "jobs retry x --max-llm-calls 2147483648",
        "hints verify --detach --max-llm-calls 2147483648",
        "hints tidy --detach --max-llm-calls 2147483648",
        "evaluate --sessions x --detach --max-llm-calls 2147483648",
    ],
)
def test_a_number_that_nothing_takes_is_refused_at_once(command: str) -> None:
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 2
    assert "does not fit. Give a whole number" in done.stderr
