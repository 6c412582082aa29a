"""Errors within a stream of events, written as clients expect them: under the key `error`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from ..text.json_values import is_list, is_object
from .hidden_errors import hidden_status

_DATA, _EVENT = b"data:", b"event:"
_MARKS = (b'"error"', b'"network_error"', b'"insufficient_system_resource"')
_FAILED = frozenset({b"error", b"exception", b"fail", b"failed", b"failure"})


async def with_errors(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Stream events, each error among them as `data: {"error": …}`.

    Args:
        parts: Parts of the stream, cut anywhere. A line is held back until it is whole.
    """
    held: list[bytes] = []
    named = [False]
    async for part in parts:
        whole, end, rest = part.rpartition(b"\n")
        if not end:
            held.append(part)
            continue
        lines = b"".join([*held, whole]).split(b"\n")
        held = [rest]
        yield b"".join(_revealed(line, named) + end for line in lines)
    if last := b"".join(held):
        yield _revealed(last, named)


def _revealed(line: bytes, named: list[bool]) -> bytes:
    """Return a line, or the error that it is.

    Args:
        line: A line of the stream.
        named: Whether its event is called an error.
    """
    bare = line.strip()
    if not bare:
        named[0] = False
    elif bare.startswith(_EVENT):
        named[0] = bare[len(_EVENT) :].strip().lower() in _FAILED
    elif bare.startswith((_DATA, b"{")) and (named[0] or _suspicious(bare)):
        said = bare.removeprefix(_DATA).strip()
        error = _error(said, named=named[0])
        if error is not None:
            return _DATA + b" " + orjson.dumps({"error": error}) + b"\n"
    return line


def _suspicious(line: bytes) -> bool:
    """Whether a line is no ordinary part of an answer; most are, and need not be decoded."""
    return b'"choices"' not in line or any(mark in line for mark in _MARKS)


def _error(said: bytes, *, named: bool) -> Any:
    """Return the error that an event is, or `None` if it is none, or is one that clients see."""
    try:
        body: Any = orjson.loads(said)
    except ValueError:
        return {"message": said.decode(errors="replace")} if named else None
    if is_list(body) and len(body) == 1:
        body = body[0]
    if not is_object(body):
        return {"message": str(body)} if named else None
    if hidden_status(body) is None and not named:
        return None
    choices: Any = body.get("choices")
    inner = choices[0] if is_list(choices) and choices else body
    found: Any = inner.get("error") if is_object(inner) else None
    return found if is_object(found) or isinstance(found, str) else body
