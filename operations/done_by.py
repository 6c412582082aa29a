"""Says by whom something was done."""

from __future__ import annotations

from ..runtime.options import RunOptions


def done_by(options: RunOptions, what: str) -> str:
    """Say by whom something was done, without naming a key: other owners of the domain read it."""
    return f"It was {what} by {'a person' if options.caller is None else 'an API key'}."
