"""Hyper-parameters of a training, from a file and from `--set`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError, reason_of
from ..files import read_json


async def hyper_parameters(file: Path | None, settings: Sequence[str]) -> dict[str, object]:
    """Return values by name, unchecked; those of `settings` count above those of the file.

    Args:
        file: A JSON object.
        settings: Each as `NAME=VALUE`.

    Raises:
        InputError: The file or a setting cannot be read.
    """
    values: dict[str, object] = {}
    if file is not None:
        try:
            values |= await read_json(file)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                "--config",
                f"{file} cannot be read as a JSON object ({reason_of(error)}).",
                "Fix the file.",
            ) from error
    return values | set_parameters(settings)


def set_parameters(settings: Sequence[str]) -> dict[str, object]:
    """Return the values of settings by name, unchecked.

    Args:
        settings: Each as `NAME=VALUE`.

    Raises:
        InputError: One cannot be read.
    """
    values: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError("--set", f"{setting!r} has no value.", "Write NAME=VALUE.")
        values[name.strip()] = value.strip()
    return values
