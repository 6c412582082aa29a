"""Reads which known hint a new one repeats, out of whatever text a model answered."""

from __future__ import annotations

import re
from typing import Any

from ..ranking_answers.measures import names_score
from ..text.answer_json import decoded_values
from ..text.json_values import is_list, is_object
from ..text.plain_signs import NUMBER_WORDS, ORDINALS
from ..text.turns import said_in

_LONGEST = 2_000
_ALONE = re.compile(
    r"[\W_]{0,9}(?:(?:the|answer|known|hint|number|no|is)[\W_]{1,5}){0,5}[#*(\[{]{0,5}"
    r"(?<!-)(\d{1,6})(?:\.0)?[\W_]{0,9}(?:\n|\Z)",
    re.IGNORECASE,
)
"""A line that is a number, whatever follows it."""
_NUMBER = re.compile(r"(?:(?<!\w)-)?(?<![\d.])(?<!\d[eE])\d{1,6}(?!\d|\.\d|[eE]\d)")
_POINTED = re.compile(r"\bhint\s?#?(\d{1,6})\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{1,20}\b(?! of\b)")
_COUNT = re.compile(
    r"(?:\b(?:all|these|the|of(?: the)?|out of)\s|/)\s?\d{1,6}\b(?:\s(?:known\s)?hints?)?"
    r"|(?<!hint )(?<!number )(?<!#)\b\d{1,6}\s(?:known\s)?(?:hints|words|stars|others|points)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not|neither|nor|than|from|unlike)|n't)\s(?:\w{1,12}\s){0,3}?#?\d{1,6}", re.IGNORECASE
)
_NONE = re.compile(
    r"\b(?:none|neither|nothing|no\b(?!\.)|not|different|something else|new one|is new|unlike"
    r"|keine[rs]?|nein|aucune?|non|ningun[oa]|nessun[oa]?|nenhuma?)\b|n't\b",
    re.IGNORECASE,
)
_NO_NUMBER = re.compile(
    r"\W{0,5}(?:none|neither|keine[rs]?|aucune?|ningun[oa])\b|\bnone\b", re.IGNORECASE
)


def read_repeated(text: str, known: int) -> int | None:
    """Read which known hint a new one repeats.

    Args:
        known: How many known hints there were, numbered from 1.

    Returns:
        The repeated hint's number, 0 for none of them, or `None` if the answer says neither, or
        names several.
    """
    text = said_in(text[:_LONGEST])
    alone = _ALONE.match(text)
    number = int(alone[1]) if alone else _in_json(text)
    if number is None:
        number = _in_words(text, known)
    return number if number is not None and 0 <= number <= known else None


def _in_json(text: str) -> int | None:
    values, _ = decoded_values(text, "number")
    found = [number for value in values for number in _numbers(value.value)]
    return found[0] if len(found) == 1 else None


def _numbers(value: Any) -> list[int]:
    if is_list(value):
        return [entry for entry in value if type(entry) is int]
    if not is_object(value):
        return []
    held = (inner for key, inner in value.items() if not names_score(key))
    texts = [
        int(entry) if isinstance(entry, str) and entry.isdecimal() else entry for entry in held
    ]
    return [entry for entry in texts if type(entry) is int]


def _in_words(text: str, known: int) -> int | None:
    """Return the one number that a sentence affirms; 0 where it says that there is none."""
    if any(value.value for value in decoded_values(text, "number")[0]):
        return None
    said = _DENIED.sub(" ", _COUNT.sub(" ", text))
    numbers = {int(number) for number in _NUMBER.findall(said)}
    pointed = {int(number) for number in _POINTED.findall(said)}
    if len(pointed) == 1 and all(number > known for number in numbers - pointed):
        numbers = pointed
    if not numbers:
        words = [word.lower() for word in _WORD.findall(said[:200])]
        for row in (("", *ORDINALS), NUMBER_WORDS):  # "the second one"
            numbers = numbers or {row.index(word) for word in words if word in row}
    if len(numbers) > 1:
        return None
    if numbers and numbers != {0}:
        return None if _NONE.search(said) else numbers.pop()
    return 0 if numbers or _NO_NUMBER.search(text) else None
