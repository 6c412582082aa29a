"""Every example of the pages under `docs/` and of the README, and that they name what exists."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from re2llm import Re2llm
from re2llm.cli import app
from re2llm.errors import Failure, Re2llmError
from re2llm.jobs.kinds.registry import JobKind
from re2llm.llm.ranking_prompts.ranking_prompt import RANKING_PROMPT_VERSION
from re2llm.prompt_versions import PromptVersion
from re2llm.records import Flag
from re2llm.settings import Settings
from typer.main import get_command

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HERE = re.compile(r"<<'?(\w+)'?$")
ASSIGNED = re.compile(r"[A-Z][A-Z0-9_]*=")
CAPTURED = re.compile(r"[A-Z]+=\$\(")
LOCAL = "http://127.0.0.1:2024"
NAMES = [page.name for page in PAGES]
OTHERS = {"head", "tail", "cat", "cd", "curl", "echo", "export", "grep", "mkdir", "source", "unset"}
OTHERS |= {"accelerate", "docker", "langgraph", "pre-commit", "vllm"}
"""Programs that are not ours, and words of the shell."""

pytestmark = pytest.mark.timeout(240)


def blocks(page: str | Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall((DOCS / page).read_text()) if kind == language]


def with_python(needs_server: bool) -> list[str]:
    found = [name for name in NAMES if blocks(name, "python")]
    return [
        name for name in found if any(LOCAL in b for b in blocks(name, "python")) is needs_server
    ]


async def run(page: str, server: str = LOCAL) -> None:
    for number, block in enumerate(blocks(page, "python")):
        code = compile(block.replace(LOCAL, server), f"{page}, block {number + 1}", "exec")
        # A thread, because the examples start an event loop of their own.
        await asyncio.to_thread(exec, code, {"__name__": "__main__"})


@pytest.mark.long
@pytest.mark.parametrize("page", with_python(needs_server=False))
async def test_the_python_runs(films: str, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    await run(page)


@pytest.mark.long
@pytest.mark.parametrize("page", with_python(needs_server=True))
async def test_the_python_runs_against_a_server(
    server: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(page, server)
    assert capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_the_commands_exist(page: Path) -> None:
    for block in blocks(page, "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
        for words in commands(block):
            exists(words)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_every_variable_of_the_shell_is_set_before_it_is_used(page: Path) -> None:
    known = {"DATA", "PWD"}  # the data sets, which come from elsewhere
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            used = set(re.findall(r"\$\{?([A-Z]\w*)", line))
            assert used <= known, (line, used - known)
            known |= set(re.findall(r"(?:^|[\s\"])([A-Z]\w*)=", line))


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_the_database_and_the_prices_are_set_before_they_are_needed(page: Path) -> None:
    for block in blocks(page, "sh"):
        first = re.search(r"(?m)^re2llm ", block)
        database = re.search(r"(?m)^export RE2LLM_DATABASE_URL=", block)
        assert not first or not database or database.start() < first.start(), block
        paid = re.search(r"(?m)^re2llm .*--max-cost", block)
        model = re.search(r"(?m)^export RE2LLM_MODEL=(\S+)", block)
        if paid and model:
            prices = re.search(r"(?m)^export RE2LLM_PRICES='(.*)'", block[: paid.start()])
            assert prices, block
            assert model[1] in Settings(prices=json.loads(prices[1])).prices


def test_every_file_of_sessions_is_made_on_a_page() -> None:
    made: set[str] = set()
    used: set[str] = {"train.jsonl", "test.jsonl"}
    for page in TEXTS:
        for block in blocks(page, "sh"):
            made |= set(re.findall(r"(?:> |data\.sample )(\w[\w.-]*\.jsonl)", block))
            used |= set(re.findall(r"--sessions (\w[\w.-]*\.jsonl)", block))
    # Recorded answers come with sessions of their own.
    assert used - made == {"answered.jsonl"}


@pytest.mark.parametrize("count", [2, 10, 250])
@pytest.mark.parametrize("end", ["\n", ""])
def test_the_sessions_that_are_held_back_are_not_trained_on(
    tmp_path: Path, count: int, end: str
) -> None:
    [block] = [one for one in blocks("your-data.md", "sh") if "> test.jsonl" in one]
    cut = "".join(
        line for line in block.splitlines(keepends=True) if not line.startswith("re2llm ")
    )
    lines = [str(number) for number in range(count)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + end)
    subprocess.run(["sh", "-e"], input=cut, text=True, check=True, cwd=tmp_path)
    train, test = ((tmp_path / f"{name}.jsonl").read_text().split() for name in ("train", "test"))
    assert [*train, *test] == lines
    assert 1 <= len(test) <= max(1, count // 5)


@pytest.mark.parametrize("words", [["recommend", "--no-such"], ["hints", "lost"], ["evaluate"]])
def test_a_command_that_does_not_exist_is_noticed(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|lost|missing"):
        known_to(get_command(app), words)


def commands(block: str) -> list[list[str]]:
    """Return the words of each command; a quoted text may run over several lines."""
    found: list[list[str]] = []
    waiting = ""
    end: str | None = None
    for line in re.sub(r"\\\n", " ", block).splitlines():
        if end is not None:  # a here-document
            end = None if line == end else end
            continue
        if opened := HERE.search(line):
            end = opened[1]
        waiting += line + "\n"
        try:
            words = shlex.split(waiting, comments=True)
        except ValueError:  # its quotation is still open
            continue
        waiting = ""
        found += parts(words)
    assert not waiting, waiting
    return found


def parts(words: list[str]) -> list[list[str]]:
    """Split words at `&&` and `||`; drop variables set for a command, and where its output goes."""
    found: list[list[str]] = [[]]
    for word in words:
        if word in {"&&", "||"}:
            found.append([])
        elif word in {">", "<"} or CAPTURED.match(word):
            break
        elif found[-1] or not ASSIGNED.match(word):
            found[-1].append(word)
    return [part for part in found if part]


def exists(words: list[str]) -> None:
    program, *rest = words
    if program == "re2llm":
        known_to(get_command(app), rest)
    elif program == "make":
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{rest[0]}:", makefile, re.MULTILINE), words
    elif program == "python" and rest[0] == "-m":
        found = importlib.util.find_spec(rest[1])
        assert found, words
        assert found.origin
        source = Path(found.origin).read_text(encoding="utf-8")
        for option in (word.partition("=")[0] for word in rest[2:] if word.startswith("--")):
            # Typer makes the option of the argument's name.
            assert option in source or option[2:].replace("-", "_") in source, words
    elif program in {"python", "sh"}:
        assert (ROOT / rest[0]).is_file(), words
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for extra in re.findall(r"\.\[(\w+)\]", " ".join(rest)):
            assert extra in extras["optional-dependencies"], words
    else:
        assert program in OTHERS, words


def known_to(command: Any, words: list[str]) -> None:
    """Let the command line itself read the words, without running anything."""
    while hasattr(command, "commands"):  # Typer's groups are none of click's
        name, *words = words
        assert name in command.commands, name
        command = command.commands[name]
    command.make_context(command.name, list(words))


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_an_extra_does_not_put_a_copy_in_the_place_of_the_clone(page: Path) -> None:
    # `make` installs the clone itself, so that edits count; without `-e`, a copy would replace it.
    for before in re.findall(r"pip\s+install\b([^`]*?)'?\.\[", page.read_text()):
        assert before.split()[-1] == "-e", before


@pytest.mark.parametrize("page", NAMES)
def test_the_json_is_json(page: str) -> None:
    for block in blocks(page, "json"):
        json.loads(block)


def test_every_page_is_in_the_navigation_and_every_link_leads_somewhere() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert set(re.findall(r"[\w-]+\.md", text)) == set(NAMES)
    yaml.safe_load(text)
    for page in TEXTS:
        for target, place in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
            file = page.parent / target if target else page
            assert file.exists(), (page.name, target)
            assert not place or place in anchors(file), (page.name, target, place)


def anchors(page: Path) -> set[str]:
    """Return what a page's headings are linked by."""
    titles = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_settings_are_listed_with_their_defaults() -> None:
    example = (ROOT / ".env.example").read_text()
    defaults = dict(re.findall(r"(?m)^# (RE2LLM_[A-Z_]+)=(.*)$", example))
    page = (DOCS / "settings.md").read_text()
    rows = dict(re.findall(r"(?m)^\| `(RE2LLM_[A-Z_]+)` \| (\S+) \|", page))
    assert rows == {name: f"`{value}`" if value else "unset" for name, value in defaults.items()}


def test_the_commands_are_listed_with_their_options() -> None:
    page = (DOCS / "commands.md").read_text()
    sections = dict(re.findall(r"(?ms)^## re2llm ([^\n]+)\n(.*?)(?=^## |\Z)", page))
    found = dict(leaves(get_command(app)))
    assert set(sections) == set(found)
    for name, command in found.items():
        words = {w for option in command.params for w in (*option.opts, *option.secondary_opts)}
        options = {word for word in words - {"--help"} if word.startswith("-")}
        listed = listed_in(sections[name])
        assert options == set(re.findall(r"`(--?[a-z-]+)`", listed)), name
        taken = [as_listed(one) for one in command.params if one.param_type_name == "argument"]
        assert taken == re.findall(r"`(\[?[A-Z]+…?\]?)`", listed), name


def as_listed(argument: Any) -> str:
    """Return an argument as the page shows it: `[ITEM…]` may be left out, or repeated."""
    name = argument.metavar + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def listed_in(section: str) -> str:
    """Return the first column of a section's table."""
    return "".join(re.findall(r"(?m)^\| (`.*?`) \|", section))


def leaves(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from leaves(inner, *path, name)
        else:
            yield " ".join([*path, name]), inner


def test_every_flag_and_kind_of_error_is_explained() -> None:
    rows = set(re.findall(r"(?m)^\| `(\w+)` \|", (DOCS / "answers.md").read_text()))
    assert {*map(str, Flag), *map(str, Failure)} <= rows
    kinds = [error.kind for error in (Re2llmError, *subclasses(Re2llmError))]
    assert set(kinds) <= rows


def test_every_kind_of_job_is_explained() -> None:
    rows = re.findall(r"(?m)^\| `(?:hints )?(\w+)`", (DOCS / "jobs.md").read_text())
    assert set(get_args(JobKind)) <= set(rows)


def subclasses(of: type[Re2llmError]) -> Iterator[type[Re2llmError]]:
    for inner in of.__subclasses__():
        yield inner
        yield from subclasses(inner)


def test_every_method_is_listed_and_every_one_that_is_listed_exists() -> None:
    public = {name for name in vars_of(Re2llm) if not name.startswith("_")}
    plain = {name for name in public if f"a{name}" in public} - {"close"}
    rows = re.findall(r"(?m)^\| [^|]+ \| (`\w+`(?:, `\w+`)*) \|$", (DOCS / "python.md").read_text())
    listed = [name for row in rows for name in re.findall(r"\w+", row)]
    assert sorted(listed) == sorted(plain)


def vars_of(kind: type) -> set[str]:
    return {name for one in kind.__mro__ if one is not object for name in vars(one)}


def test_the_marks_of_a_prompt_version_are_explained() -> None:
    page = (DOCS / "glossary.md").read_text()
    version = PromptVersion(
        RANKING_PROMPT_VERSION, reranked=20, shuffled=True, orders=3, expected=True
    )
    marks = [RANKING_PROMPT_VERSION, "+expected", "/best-20", "-shuffled", "x3"]
    assert str(version) == "".join(marks)
    assert all(f"`{mark}`" in page for mark in marks), marks


def test_every_setting_that_is_named_exists() -> None:
    known = {f"RE2LLM_{name.upper()}" for name in Settings.model_fields}
    named: set[Any] = set()
    for page in TEXTS:
        named |= set(re.findall(r"RE2LLM_[A-Z_]*[A-Z]", page.read_text()))
    assert named <= known


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "threats.md").read_text())
    assert len(named) > 15
    for path, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), name


def test_the_compose_file_keeps_its_data_and_starts_again_with_its_machine() -> None:
    [written] = blocks("serve.md", "yaml")
    found = yaml.safe_load(written)
    services = found["services"]
    assert services.keys() == {"database", "re2llm", "worker"}
    assert {one["restart"] for one in services.values()} == {"unless-stopped"}
    [volume] = services["database"]["volumes"]
    name, place = volume.split(":")
    assert name in found["volumes"]
    assert services["database"]["image"].endswith("-pg17")
    assert place == "/var/lib/postgresql/data"
    for name in ("re2llm", "worker"):
        known_to(get_command(app), shlex.split(services[name]["command"])[1:])


@pytest.mark.parametrize("had", ["", "RE2LLM_RERANK=9\n", "DB_PASSWORD=\n"])
def test_a_password_of_the_database_is_made_once_where_docker_reads_it(
    tmp_path: Path, had: str
) -> None:
    [written] = blocks("serve.md", "yaml")
    assert set(re.findall(r"\$\{(\w+)\}", written)) == {"DB_PASSWORD"}
    lines = "\n".join(blocks("serve.md", "sh")).splitlines()
    [makes] = [line for line in lines if "DB_PASSWORD=" in line]
    file = tmp_path / ".env"
    if had:
        file.write_text(had)
    for secret in ("first", "second"):
        script = f"openssl() {{ echo {secret}; }}\n{makes}\n"
        subprocess.run(["sh", "-e"], input=script, text=True, check=True, cwd=tmp_path)
    assert file.read_text() == f"{had}DB_PASSWORD=first\n"
