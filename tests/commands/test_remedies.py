"""A command line that an error or a note tells to run does what it says."""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from all_commands import COMMANDS
from re2llm.cli import app
from re2llm.commands import misuse
from re2llm.commands.misuse import Misuse
from re2llm.errors import InputError
from re2llm.knowledge.job_budgets import JobLimit
from re2llm.policies.autopilot.plan import AutopilotPlan
from re2llm.runtime.allowance import _job_over
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
PACKAGES = [one for one in sorted(ROOT.iterdir()) if (one / "__init__.py").is_file()]
LINE = re.compile(r"`re2llm ([^`]*)`")
PLACE = re.compile(r"[A-Z]+|…")
VALUES = {"ITEM": "Alien", "TEXT": "Alien", "OWNER": "shop", "DOMAIN": "films"}
"""What to write for placeholders; 1 for all others."""
ASKS_LATER = {("recommend",), ("autopilot", "on"), ("policy", "canary")}
"""Commands that need no argument by themselves, but one of several."""
LEFT_OUT = re.compile("… --sessions|--1")
"""Stands for more arguments than one, or for an option that is a value."""


def texts(code: ast.Module) -> Iterator[str]:
    """All texts but docstrings, with a 1 for each value in them."""
    known = {
        id(node.value)
        for node in ast.walk(code)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(code):
        if isinstance(node, ast.JoinedStr):
            known |= {id(part) for part in node.values}
            parts = (part.value if isinstance(part, ast.Constant) else "1" for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in known:
            yield str(node.value)


def lines(text: str) -> list[str]:
    """Return the command lines of a text, but for those whose command or option is a value."""
    found = LINE.findall(text)
    return [one for one in found if not one.startswith("1") and not LEFT_OUT.search(one)]


def parts(line: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the words of a command, and its arguments with values in place of placeholders."""
    given = shlex.split(line)
    count = next(n for n in range(len(given), -1, -1) if tuple(given[:n]) in COMMANDS)
    rest = [VALUES.get(one, "1") if PLACE.fullmatch(one) else one for one in given[count:]]
    return tuple(given[:count]), rest


def fault(line: str, *, whole: bool = False) -> str:
    """Say why a command line does not work as it is written; else empty.

    Args:
        line: Without `re2llm`.
        whole: Whether it is a line to run, also where it names no more than a command.
    """
    words, given = parts(line)
    command: Any = COMMANDS[words]
    if hasattr(command, "commands"):  # a group
        return "" if not given or given[0].startswith("--") else "there is no such command"
    if not given and not whole:  # the name of a command
        return "it needs more" if words in ASKS_LATER else ""
    needs_domain = any(one.name == "domain" and one.required for one in command.params)
    domain = ["--domain", "films"] if needs_domain and "--domain" not in given else []
    try:
        context = command.make_context(words[-1], [*given, *domain])
        if words == ("autopilot", "on"):
            named = ("usd_per_day", "calls_per_day")
            AutopilotPlan(**{one: context.params[one] and 1 for one in named})
    except (Misuse, InputError) as error:
        return str(error)
    except typer.Exit:  # --help
        return ""
    return ""


@pytest.mark.long
def test_every_command_line_in_a_text_can_be_run() -> None:
    files = [file for package in PACKAGES for file in package.rglob("*.py")]
    found = [
        f"{file.relative_to(ROOT)}: {line}: {fault(line)}"
        for file in files
        for text in texts(ast.parse(file.read_text(encoding="utf-8")))
        for line in lines(text)
        if fault(line)
    ]
    assert len(files) > 400
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    ["autopilot on", "recommend", "jobs retry --max-cost …", "lern", "jobs lst", "learn --fast"],
)
def test_a_line_that_fails_would_be_found(line: str) -> None:
    assert fault(line)


@pytest.mark.parametrize("limit", get_args(JobLimit))
def test_what_ends_a_job_comes_with_a_line_that_works(limit: JobLimit) -> None:
    for line in LINE.findall(_job_over("learn-1", limit).remedy):
        assert not fault(line, whole=True)


@pytest.mark.parametrize("field", [*misuse._LISTED, "ID"])
async def test_what_names_an_argument_is_listed_by_a_command_that_works(
    films: str, field: str, adjust: Callable[..., None]
) -> None:
    adjust(domain=films)
    named = misuse._MAKES_ID if field == "ID" else f"`re2llm {misuse._LISTED[field]}`"
    [line] = LINE.findall(named)
    words, given = parts(line)
    done = await asyncio.to_thread(CliRunner().invoke, app, [*words, *given])
    assert done.exit_code == 0, done.output
    assert field != "ID" or "recommendation_id" in done.stdout
