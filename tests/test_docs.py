"""Every example of the pages under `docs/` and that they name what exists."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from re2llm.cli import app
from re2llm.settings import Settings
from typer.main import get_command

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOCAL = "http://127.0.0.1:2024"
NAMES = [page.name for page in PAGES]

pytestmark = pytest.mark.timeout(240)


def blocks(page: str, language: str) -> list[str]:
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


@pytest.mark.parametrize("page", with_python(needs_server=False))
async def test_the_python_runs(films: str, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    await run(page)


@pytest.mark.parametrize("page", with_python(needs_server=True))
async def test_the_python_runs_against_a_server(
    server: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(page, server)
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", NAMES)
def test_the_commands_exist(page: str) -> None:
    for block in blocks(page, "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
        for words in commands(block):
            exists(words)


def commands(block: str) -> list[list[str]]:
    """Return the words of each command; a quoted text may run over several lines."""
    found: list[list[str]] = []
    waiting = ""
    for line in re.sub(r"\\\n", " ", block).splitlines():
        waiting += line + "\n"
        try:
            words = shlex.split(waiting, comments=True)
        except ValueError:  # its quotation is still open
            continue
        waiting = ""
        found += [words] if words else []
    assert not waiting, waiting
    return found


def exists(words: list[str]) -> None:
    program, *rest = words
    if program == "re2llm":
        known_to(get_command(app), rest)
    elif program == "make":
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{rest[0]}:", makefile, re.MULTILINE), words
    elif program in {"python", "sh"}:
        assert (ROOT / rest[0]).is_file(), words
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for extra in re.findall(r"\.\[(\w+)\]", " ".join(rest)):
            assert extra in extras["optional-dependencies"], words
    else:
        assert program in {"langgraph", "source", "export", "curl"}, words


def known_to(command: click.Command, words: list[str]) -> None:
    """Let the command line itself read the words, without running anything."""
    context: click.Context | None = None
    while isinstance(command, click.Group):
        name, *words = words
        context = click.Context(command, parent=context, info_name=name)
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
    command.make_context(command.name, list(words), parent=context)


@pytest.mark.parametrize("page", NAMES)
def test_the_json_is_json(page: str) -> None:
    for block in blocks(page, "json"):
        json.loads(block)


def test_every_page_is_in_the_navigation_and_every_link_leads_somewhere() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert set(re.findall(r"[\w-]+\.md", text)) == set(NAMES)
    yaml.safe_load(text)
    for page in PAGES:
        for target in re.findall(r"\]\(([\w./-]+\.md)", page.read_text()):
            assert (DOCS / target).is_file(), (page.name, target)


def test_every_setting_that_is_named_exists() -> None:
    known = {f"RE2LLM_{name.upper()}" for name in Settings.model_fields}
    named: set[Any] = set()
    for page in PAGES:
        named |= set(re.findall(r"RE2LLM_[A-Z_]*[A-Z]", page.read_text()))
    assert named <= known
