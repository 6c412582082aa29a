"""Remarks on what was loaded, for the person who loaded it."""

from __future__ import annotations

from collections.abc import Sequence

from ...records import counted


def there_twice(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Remark on items that two tables have under different spellings of their ids.

    Args:
        pairs: The new id and the stored one, of each.
    """
    if not pairs:
        return []
    new, old = pairs[0]
    called = counted(len(pairs), "item has", "items have")
    told = f"{called} a title under one spelling of the id and none under another, such as"
    return [
        f"{told} {new} and {old}. Past sessions use the second. Load both tables into a new domain."
    ]


def grown_sessions(count: int) -> list[str]:
    """Remark on new sessions that begin with all of a stored one.

    Args:
        count: Number of such sessions.
    """
    if not count:
        return []
    told = counted(count, "new session begins", "new sessions begin")
    remedy = (
        "If these are the same people's, drop the source `file` with `re2llm sessions drop`, and "
        "load all files again, each in its longest form."
    )
    return [f"{told} with all of a session from an earlier load, and both count. {remedy}"]
