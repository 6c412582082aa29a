"""Answers that come in parts where the whole was asked for, and the reverse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from ..errors.hidden_errors import hidden_status
from ..text.json_values import is_list, is_object
from .openai_format import Chunks, as_completion
from .openai_messages import decoded
from .oversized import MOST_CHOICES, Events, oversized

_DATA, _DONE = b"data:", b"data: [DONE]\n\n"
_STARTS = (_DATA, b"event:", b"id:", b"retry:", b":")
_GROW = frozenset({"content", "refusal", "reasoning_content", "reasoning", "arguments"})
"""Texts that come in parts."""
_CALLS = "tool_calls"
_PIECE = 4_096
"""Bytes between two turns of others."""


def are_events(content: bytes) -> bool:
    """Whether a body is a stream of events, whatever its server calls it."""
    return content[:100].lstrip().startswith(_STARTS)


async def pieces(part: bytes, events: Events) -> AsyncIterator[bytes]:
    """Cut a part of a stream into pieces, between which others have their turn.

    Raises:
        RemoteProtocolError: An event has too many parts.
    """
    for start in range(0, len(part), _PIECE):
        piece = part[start : start + _PIECE]
        events.look(piece)
        yield piece
        await asyncio.sleep(0)


async def usual_events(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Stream events, those that are parts of an answer in the usual form.

    Args:
        parts: Parts of the stream, cut between lines.
    """
    chunks = Chunks()
    async for part in parts:
        yield b"\n".join(_usual(line, chunks) for line in part.split(b"\n"))


def as_events(completion: Any) -> bytes | None:
    """Return a whole answer as a stream of one part, `None` if it is no answer.

    Args:
        completion: The completion in the usual form.
    """
    if not is_object(completion) or not completion.get("choices"):
        return None
    event = {**completion, "object": "chat.completion.chunk"}
    return _DATA + b" " + encoded(Chunks().usual(event)) + b"\n\n" + _DONE


async def joined(parts: AsyncIterator[bytes]) -> Any:
    """Return what a stream of events says as one answer in the usual form, or its first error.

    Args:
        parts: Parts of the stream, cut anywhere.

    Returns:
        Decoded JSON, or `None` if no event is a part of an answer.

    Raises:
        RemoteProtocolError: It has too many choices.
    """
    chunks, whole = Chunks(), _Whole()
    async for event in _events(parts):
        body: Any = decoded(event)
        if hidden_status(body) is not None:
            return body
        whole.add(chunks.usual(body))
    return whole.completion(chunks.tokens)


def encoded(value: Any) -> bytes:
    """Return decoded JSON as JSON."""
    return json.dumps(value).encode()


def _usual(line: bytes, chunks: Chunks) -> bytes:
    bare = line.strip()
    if not bare.startswith((_DATA, b"{")):
        return line
    body: Any = decoded(bare.removeprefix(_DATA))
    usual: Any = chunks.usual(body)
    event = bare.startswith(_DATA)
    if not is_object(usual) or (usual == body and event) or "choices" not in usual:
        return line
    # An answer that is no event ends as one: with an empty line.
    return _DATA + b" " + encoded(usual) + (b"" if event else b"\n\n")


async def _events(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what events say; one may say it in several lines."""
    said: list[bytes] = []
    async for line in _lines(parts):
        if line.startswith((_DATA, b"{")):
            said.append(line.removeprefix(_DATA))
        elif not line and said:
            yield b"\n".join(said)
            said = []
    if said:
        yield b"\n".join(said)


async def _lines(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    async for part in parts:
        first, *others = part.split(b"\n")
        held.append(first)
        for line in others:
            yield b"".join(held).strip()
            held = [line]
    yield b"".join(held).strip()


class _Whole:
    """An answer that comes in parts."""

    def __init__(self) -> None:
        self._around: dict[str, Any] = {}
        self._choices: dict[str, dict[str, Any]] = {}

    def add(self, chunk: Any) -> None:
        """Take a part in the usual form; anything else is skipped."""
        if not is_object(chunk) or not is_list(chunk.get("choices")):
            return
        self._around |= {key: value for key, value in chunk.items() if value is not None}
        for choice in chunk["choices"]:
            _merge(self._choices.setdefault(str(choice["index"]), {}), choice)
        if len(self._choices) > MOST_CHOICES:
            raise oversized()

    def completion(self, tokens: dict[str, Any]) -> Any:
        """Return the whole in the usual form; `None` if there was no part.

        Args:
            tokens: What it has cost; empty if that is not known.
        """
        if not self._around:
            return None
        choices = [_ended(choice) for choice in self._choices.values()]
        around = {**self._around, "object": "chat.completion", "usage": tokens or None}
        return as_completion({**around, "choices": choices})


def _merge(held: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a part of an object to those before it. Texts that grow are lists until the end."""
    for key, value in part.items():
        before: Any = held.get(key)
        if value is None:
            continue
        if key in _GROW:
            held.setdefault(key, []).append(value)
        elif key == _CALLS and value:
            calls: dict[Any, Any] = held.setdefault(key, {})
            for call in value:
                _merge(calls.setdefault(call["index"], {}), call)
        elif is_object(value):
            if not is_object(before):
                before = held[key] = {}
            _merge(before, value)
        elif is_list(value) and is_list(before):
            before.extend(value)
        elif before is None:
            held[key] = value


def _ended(held: dict[str, Any]) -> dict[str, Any]:
    made = {key: _ended(value) if is_object(value) else value for key, value in held.items()}
    for key in _GROW & made.keys():
        parts = made[key]
        if all(isinstance(one, str) for one in parts):
            made[key] = "".join(parts)
        elif key == "content":
            made[key] = [one for part in parts for one in (part if is_list(part) else [part])]
        else:
            del made[key]
    if is_object(made.get(_CALLS)):
        made[_CALLS] = list(made[_CALLS].values())
    return made
