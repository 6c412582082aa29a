"""Reads ids of rows that clients send as text."""

from __future__ import annotations

import uuid


def uuid_of(text: str) -> uuid.UUID | None:
    """Return the id that a text is, or `None` if it is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
