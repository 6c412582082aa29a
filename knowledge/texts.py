"""What PostgreSQL text can hold."""

from __future__ import annotations


def storable(text: str) -> bool:
    """Whether a text can be stored and looked up: no NUL, and no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def made_storable(text: str) -> str:
    """Return a text with what PostgreSQL cannot hold replaced by U+FFFD.

    Args:
        text: Any text.
    """
    if storable(text):
        return text
    return "".join("\ufffd" if _unstorable(letter) else letter for letter in text)


def _unstorable(letter: str) -> bool:
    return letter == "\0" or "\ud800" <= letter <= "\udfff"
