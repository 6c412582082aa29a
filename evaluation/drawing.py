"""The library that draws pictures, an optional extra."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import InputError


def require_matplotlib(option: str) -> None:
    """Raise `InputError` about an option if matplotlib is missing, before anything slow begins."""
    if find_spec("matplotlib") is None:
        raise InputError(
            option,
            "It needs matplotlib, which is not installed.",
            "Install it with: pip install 're2llm[report]'",
        )
