"""Reads hints out of whatever text a model answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..structured import AnswerFormat
from ..text.answer_json import decoded_values, opened_value
from ..text.declined import is_refusal
from ..text.json_values import is_list, is_object
from ..text.thoughts import without_thoughts
from ..text.turns import first_turn
from .lines import listed_hints, without_label
from .reflection_prompt import MOST_HINTS

_KEYS = frozenset({"hints", "hint"})
_TEXT_KEYS = ("hint", "text", "advice", "rule", "instruction", "content")
_NUMBERED = re.compile(r"(?:hint[ _]?)?#?\d{1,3}", re.IGNORECASE)
_TAGGED = re.compile(r"<(hint|li)>([^<]{1,1000})</\1>", re.IGNORECASE)
_NONE = re.compile(r"\W{0,3}(?:none|nothing|no (?:\w{1,12} )?(?:hints?|advice))\b", re.IGNORECASE)
_INVISIBLE = str.maketrans("", "", "\u200b\u2060\ufeff")
_SHORTEST = 10
_DEEPEST = 4
_MOST_CHARACTERS = 20_000


def read_hints(text: str) -> list[str]:
    """Read hints from a JSON object or list, or else from a bulleted or numbered list.

    Returns:
        Each hint once, on one line, in order, at most `MOST_HINTS`.
    """
    text = _said(text)
    found = _json_hints(text)
    if found is None:
        found = listed_hints(text) or [tagged for _, tagged in _TAGGED.findall(text)]
    bare = (hint.replace("**", "").translate(_INVISIBLE) for hint in found)
    cleaned = (without_label(" ".join(hint.split()).strip("\"'“”")) for hint in bare)
    told = (hint for hint in cleaned if len(hint) >= _SHORTEST and not _is_none(hint))
    return list(dict.fromkeys(told))[:MOST_HINTS]


def _is_none(hint: str) -> bool:
    """Whether a text says that there is no hint, or that its model gives none."""
    return bool(_NONE.match(hint) or is_refusal(hint))


HINTS = AnswerFormat(
    {
        "title": "hints",
        "description": "Short imperative hints that name no item.",
        "type": "object",
        "properties": {"hints": {"type": "array", "items": {"type": "string"}}},
        "required": ["hints"],
        "additionalProperties": False,
    },
    lambda text: _json_hints(_said(text)) is not None,
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
    for value in reversed(_json_values(_said(text))):
        if is_object(value) and isinstance(value.get("cause"), str):
            return value["cause"]
    return text


def _said(text: str) -> str:
    return first_turn(without_thoughts(text[:_MOST_CHARACTERS])).translate(_INVISIBLE)


def _json_values(text: str) -> list[Any]:
    return [found.value for found in decoded_values(text, "hints")[0]]


def _json_hints(text: str) -> list[str] | None:
    """Return the hints of the last JSON that has the key, or of several that adjoin.

    Such are parallel calls, and lines with a hint each.
    """
    found = decoded_values(text, "hints")[0]
    values = [one.value for one in found]
    keyed = [held for value in values if (held := _keyed(value)) is not None]
    adjoin = not any(text[one.end : other.start].strip(" \n,") for one, other in pairwise(found))
    if len(keyed) > 1 and (adjoin or all(isinstance(held, str) for held in keyed)):
        return [said for held in keyed for said in _texts(held)]
    lists = [value for value in values if is_list(value) and (not value or [*_texts(value)])]
    for held in reversed(keyed or lists):
        return [*_texts(held)]
    return None


def _keyed(value: Any, depth: int = 0) -> Any:
    """Return the value of the key that was asked for, or of one like it."""
    if is_list(value) and len(value) == 1:
        value = value[0]
    value = opened_value(value)
    if not is_object(value) or depth > _DEEPEST:
        return None
    if value and all(_NUMBERED.fullmatch(key) for key in value):
        return value
    for key, inner in value.items():
        if key.strip().lower() in _KEYS and (is_list(inner) or is_object(inner) or inner):
            return inner
    inside = (_keyed(inner, depth + 1) for inner in value.values())
    return next((held for held in inside if held is not None), None)


def _texts(held: Any, depth: int = 0) -> Iterator[str]:
    """Yield the hints in a text, a list, or an object with the text of one or of several."""
    if isinstance(held, str):
        yield from (listed_hints(held) if "\n" in held else ()) or [held]
    elif is_list(held) and depth <= _DEEPEST:
        for inner in held:
            yield from _texts(inner, depth + 1)
    elif is_object(held) and depth <= _DEEPEST:
        named = [held[key] for key in _TEXT_KEYS if key in held]
        numbered = all(map(_NUMBERED.fullmatch, held))
        if named or numbered or len(held) == 1:
            yield from _texts(named[0] if named else [*held.values()], depth + 1)
