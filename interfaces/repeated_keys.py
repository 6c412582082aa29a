"""Finds a key that a JSON object has twice: parsers silently keep the last of its values."""

from __future__ import annotations

import json
from typing import Any, cast

_LONGEST = 40
"""Most characters of a key that are told."""


class _RepeatedError(Exception):
    """There is one."""


def repeated_key(body: bytes, document: object) -> str | None:
    """Return a key that an object of a JSON document has more than once, shortened, or `None`.

    Args:
        body: The document as it was sent.
        document: What was read of it, which has each key once.
    """
    # Each key comes with a colon. Where texts hold none, counting takes a tenth of reading again.
    if body.count(b":") == _keys_in(document):
        return None
    try:
        json.loads(body, object_pairs_hook=_once, parse_int=float)  # huge integers, too
    except _RepeatedError as repeated:
        return str(repeated)[:_LONGEST]
    except RecursionError:  # deeper than any body may be, and refused for that
        return None
    return None


def _keys_in(document: object) -> int:
    count = 0
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            inner = cast("dict[str, object]", found).values()
            count += len(inner)
        elif isinstance(found, list):
            inner = cast("list[object]", found)
        else:
            continue
        waiting += [value for value in inner if isinstance(value, dict | list)]
    return count


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedError(key)
            seen.add(key)
