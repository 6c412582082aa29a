"""Every command and group of the command line, by the words that call it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from re2llm.cli import app
from typer.main import get_command


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*words, name))


COMMANDS = dict(_commands(get_command(app)))
