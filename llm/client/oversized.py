"""Answers of so many parts that reading them would hold up everything else in the process.

The packages that read an answer make an object of each part, a tenth of a millisecond each, and of
each choice a message, without a pause in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from ..text.json_values import is_list, is_object

MOST_PARTS = 5_000
"""Lists and objects in an answer. One with the log-probabilities of 200 tokens has 4,200."""
LONGEST_WHOLE = 4_000_000
"""Bytes of an answer that comes at once: eight times the longest of models."""
MOST_CHOICES = 20
_KEYS = 8
"""Keys of an object that cost as much as a part."""
_MOST_BRACKETS, _SHORT = 200_000, 50_000
"""An answer with more is not parsed, nor is a short one without many; text may hold some."""


def refuse_oversized(content: bytes, *, within: Sequence[str] = ()) -> None:
    """Make sure that an answer can be read in no time.

    Args:
        content: Its body, JSON or not.
        within: Keys that lead to the answer, if other things are around it.

    Raises:
        RemoteProtocolError: It cannot.
    """
    brackets = content.count(b"{") + content.count(b"[")
    if brackets > _MOST_BRACKETS or len(content) > LONGEST_WHOLE:
        raise oversized()
    if brackets <= MOST_CHOICES and len(content) <= _SHORT:
        return
    try:
        body = orjson.loads(content)
    except ValueError:
        return  # its reader says so
    refuse_parts(body, within=within)


def refuse_parts(body: Any, *, within: Sequence[str] = ()) -> None:
    """Make sure that an answer has not too many parts.

    Args:
        body: Decoded JSON.
        within: Keys that lead to the answer, if other things are around it.

    Raises:
        RemoteProtocolError: It has.
    """
    answer: Any = body
    for key in within:
        answer = answer.get(key) if is_object(answer) else None
    choices: Any = answer.get("choices") if is_object(answer) else None
    if (is_list(choices) and len(choices) > MOST_CHOICES) or _has_more_parts(body):
        raise oversized()


class Events:
    """Looks through a stream of events, each of which is read as one answer is."""

    def __init__(self) -> None:
        self._open = 0

    def look(self, part: bytes) -> None:
        """Make sure that no event has too many parts.

        Args:
            part: What came next of the stream.

        Raises:
            RemoteProtocolError: One has.
        """
        for place, line in enumerate(part.split(b"\n")):
            self._open = line.count(b"{") + (0 if place else self._open)
            if self._open > MOST_PARTS:
                raise oversized()


def _has_more_parts(body: object) -> bool:
    waiting: list[object] = [body]
    found = 0
    while waiting and found <= MOST_PARTS:
        part = waiting.pop()
        within = part.values() if is_object(part) else part if is_list(part) else ()
        found += 1 + (len(part) // _KEYS if is_object(part) else 0)
        waiting.extend(one for one in within if is_object(one) or is_list(one))
    return found > MOST_PARTS


def oversized() -> httpx.RemoteProtocolError:
    """Return the error over an answer that is too large to be read."""
    return httpx.RemoteProtocolError("The answer is too long, or has too many parts.")
