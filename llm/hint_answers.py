"""Reads hints and comparisons out of whatever text a model answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .json_values import is_list, is_object
from .reflection_prompt import MOST_HINTS
from .structured import AnswerFormat

_BULLET = re.compile(r"\A(?:\d{1,2}[.)]|[-*•])\s{0,9}(?:\*\*)?")
_FIRST_NUMBER = re.compile(r"\d+")
_SHORTEST = 10
_MOST_CHARACTERS = 20_000


def read_hints(text: str) -> list[str]:
    """Read hints from a JSON object or list, or else from a bulleted or numbered list.

    Returns:
        Each hint once, on one line, in order, at most `MOST_HINTS`.
    """
    text = text[:_MOST_CHARACTERS]
    found = _json_hints(text)
    if found is None:
        lines = [line.strip() for line in text.splitlines()]
        bullets = [(line, _BULLET.match(line)) for line in lines]
        found = [line[mark.end() :].removesuffix("**") for line, mark in bullets if mark]
    cleaned = (" ".join(hint.split()).strip("\"'“”") for hint in found)
    return list(dict.fromkeys(hint for hint in cleaned if len(hint) >= _SHORTEST))[:MOST_HINTS]


def read_repeated(text: str, known: int) -> int | None:
    """Read which known hint a new one repeats.

    Args:
        known: How many known hints there were, numbered from 1.

    Returns:
        The repeated hint's number, 0 for none of them, or `None` if the answer says neither.
    """
    number = _FIRST_NUMBER.search(text[:200])
    if number is None:
        return None
    value = int(number.group()[:6])
    return value if value <= known else None


HINTS = AnswerFormat(
    {
        "title": "hints",
        "description": "Short imperative hints that name no item.",
        "type": "object",
        "properties": {"hints": {"type": "array", "items": {"type": "string"}}},
        "required": ["hints"],
        "additionalProperties": False,
    },
    lambda text: _json_hints(text[:_MOST_CHARACTERS]) is not None,
)
"""The form of an answer with hints."""


BATCH_HINTS = AnswerFormat(
    {
        "title": "hints",
        "description": "The cause of several misses, and a short imperative hint against it.",
        "type": "object",
        "properties": {
            "cause": {"type": "string"},
            "hints": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["cause", "hints"],
        "additionalProperties": False,
    },
    HINTS.fits,
)
"""The form of an answer about several misses."""


def read_cause(text: str) -> str:
    """Read the cause of several misses; all of the text if it is not in the form asked for."""
    for value in _json_values(text[:_MOST_CHARACTERS]):
        if is_object(value) and isinstance(value.get("cause"), str):
            return value["cause"]
    return text


def _json_hints(text: str) -> list[str] | None:
    for value in _json_values(text):
        hints = value.get("hints") if is_object(value) else value
        if is_list(hints):
            return [part for part in hints if isinstance(part, str)]
    return None


def _json_values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    for start in (place for place in (text.find("{"), text.find("[")) if place >= 0):
        try:
            yield decoder.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            continue
