"""What PostgreSQL text can hold."""

from __future__ import annotations


def storable(text: str) -> bool:
    """Whether a text can be stored and looked up: no NUL, and no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
