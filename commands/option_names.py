"""Errors in the words of the command line: a field is called as the command's option is."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..errors import Re2llmError

_FIELD = re.compile(r"`(\w+)`")
_spellings: ContextVar[Mapping[str, str]] = ContextVar("_spellings", default={})  # noqa: B039


@contextmanager
def spelled_by(parameters: Iterable[Any]) -> Generator[None]:
    """Let errors name a command's options and arguments, by the names of their fields.

    Args:
        parameters: The command's, from Typer. Each has the name of its field.
    """
    token = _spellings.set({one.name: spelling(one) for one in parameters})
    try:
        yield
    finally:
        _spellings.reset(token)


def stated(error: Re2llmError) -> str:
    """Return an error as one line, in the words of the command that runs."""
    field = _spellings.get().get(error.field, error.field)
    return f"{field}: {in_options(f'{error.problem} {error.remedy}')}".strip()


def stated_as_json(error: Re2llmError) -> dict[str, str]:
    """Return an error as JSON primitives, in the words of the command that runs."""
    document = {name: in_options(text) for name, text in error.as_dict().items()}
    return {**document, "field": _spellings.get().get(error.field, error.field)}


def in_options(text: str) -> str:
    """Return a text with options of the command that runs for their fields in backticks."""
    spellings = _spellings.get()
    return _FIELD.sub(lambda found: spellings.get(found[1], found[0]), text)


def spelling(parameter: Any) -> str:
    """Return a parameter of a command, from Typer, as a person writes it."""
    if parameter.param_type_name == "option":
        return parameter.opts[0]
    shown: str = parameter.metavar or ""
    return shown if shown.isupper() else parameter.name.upper()  # some show what can be chosen
