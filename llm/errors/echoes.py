"""Takes a request out of the error that repeats it: its words say nothing about the error."""

from __future__ import annotations

import re
from typing import Any

from ..text.json_values import is_list, is_object

_MARK = re.compile(
    r"\\{0,3}['\"]input\\{0,3}['\"]\s{0,3}:"
    r"|\\{0,3}['\"]messages\\{0,3}['\"]\s{0,3}:\s{0,3}\[\s{0,3}\{"
)
_ECHOES = frozenset({"input", "ctx", "url"})
"""What FastAPI and pydantic add to the words of an error."""
_DEEPEST = 20


def without_echo(value: Any, depth: int = 0) -> Any:
    """Return what a server sent with an error, without the request that it repeats.

    Args:
        value: Decoded JSON, or a text, which is cut where the request begins.
    """
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        mark = _MARK.search(value)
        return value[: mark.start()] if mark else value
    if is_list(value):
        return [without_echo(one, depth + 1) for one in value if not _is_request(one)]
    if not is_object(value):
        return value
    return {
        key: without_echo(held, depth + 1)
        for key, held in value.items()
        if not (_is_request(held) or (key in _ECHOES and len(value) > 1))
    }


def _is_request(value: Any) -> bool:
    messages: Any = value.get("messages") if is_object(value) else None
    return is_list(messages) and any(is_object(one) and "role" in one for one in messages)
