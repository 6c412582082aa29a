"""Reads texts of settings as a shell would, though programs pass them on as they are written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_AROUND = "\ufeff\u200b \t\r\n"
_QUOTES = "\"'"
_VARIABLE = re.compile(r"\$(?:\w+|[{($][^/]*)|%[A-Za-z_]\w*%|\A\$")
"""What is left of a variable that is not set, or that only another program knows."""


def without_wrapping(variables: Mapping[str, str | None], prefix: str) -> dict[str, str | None]:
    """Return variables without the blanks, line ends and quotes that files leave around values.

    Args:
        variables: Of the environment, or of a file.
        prefix: Of the names that are ours; the others stay as they are. Those that hold nothing
            are left out.
    """
    found: dict[str, str | None] = {}
    for name, value in variables.items():
        text = value
        if value is not None and name.lower().startswith(prefix.lower()):
            text = value.strip(_AROUND)
            if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
                text = text[1:-1].strip(_AROUND)
            if not text:
                continue
        found[name] = text
    return found


def expanded(path: Path) -> Path:
    """Return a path with its variables and its `~` resolved.

    A folder that is there may be called as an unknown variable is.

    Raises:
        ValueError: There is no such variable or user.
    """
    written = os.path.expandvars(path)
    if not written:
        raise ValueError(f"{path} is empty here")
    try:
        folder = Path(written).expanduser()
    except RuntimeError as error:  # no such user
        raise ValueError(str(error)) from error
    unknown = _VARIABLE.search(written)
    if unknown and not os.path.exists(folder):  # noqa: PTH110  # `Path`'s raises if it may not look
        raise ValueError(
            f"There is no variable {unknown[0]} here: write the folder itself. "
            "If it is called so, make it first"
        )
    return folder
