"""Says why long work stopped early."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from ..errors import ModelDownError, Re2llmError, error_from
from .console import note
from .option_names import stated


def say_stopped(stopped: Re2llmError | Mapping[str, str] | None, left: str) -> None:
    """Say why work stopped early, if it did; if the model was down, exit with code 1.

    Args:
        stopped: The error that stopped it, also as JSON.
        left: A sentence about what is left to do, or nothing.
    """
    if stopped is None:
        return
    error = stopped if isinstance(stopped, Re2llmError) else error_from(stopped)
    note(f"stopped: {stated(error)} {left}".rstrip())
    if isinstance(error, ModelDownError):
        raise typer.Exit(1)
