"""Judges whether words that are some item's title are meant as its name."""

from __future__ import annotations

import re

from .english import is_unknown
from .reading import Reading
from .vocabulary import FUNCTION_WORDS

_PAIR = 2
_PHRASE = 4
_SENTENCE = 5
_NOUN = r"film|movie|game|title|picture|show|item|product|book|album|song"
_LIKE = re.compile(
    rf"\b(?:{_NOUN})s?,?\s+(?:like|called|titled|named|entitled|such as|similar to)\s+"
    r"(?:(?:the|an?)\s+)?[\"'*_]*$",
    re.IGNORECASE,
)
_APPOSED = re.compile(rf"\b(?:the|an?)\s+(?:{_NOUN})\s+(?:the\s+)?[\"'*_]*$", re.IGNORECASE)
_SURNAME = re.compile(
    r"\b(?:(?:films|movies|works?|directed|made) by|directors?|starring|actors?|actress)\s+$",
    re.IGNORECASE,
)
_VERB = re.compile(r"\b(?:recommend|prefer|suggest|consider|watch)\s+$", re.IGNORECASE)
_PAUSE = re.compile(
    r"[\"'*_)]{0,9}\s{0,9}+(?:$|[.,;:!?()]|(?:and|or|but|for|when|if|to|because|since|over|as|in|with)\b)",
    re.IGNORECASE,
)
_QUOTE_BEFORE = re.compile(r"[\"'*_]\s*(?:the\s+|an?\s+)?$", re.IGNORECASE)
_QUOTE_AFTER = re.compile(
    r"\s{0,9}+(?:,\s{0,9}+(?:the|an?))?[.,!?]{0,9}+\s{0,9}+[\"'*_]", re.IGNORECASE
)
# After these an opening word is the subject of its sentence, not an imperative.
_SUBJECTS = "and or but is was has had as are does did can may might would will"
_SUBJECT = frozenset(_SUBJECTS.split())


def is_name(reading: Reading, start: int, stop: int) -> bool:
    """Whether a stretch that is some item's title is meant as one.

    Args:
        start: First word.
        stop: Behind the last word.
    """
    before = reading.text[: reading.tokens[start].start]
    after = reading.text[reading.tokens[stop - 1].end :]
    strange = reading.strange(start, stop)
    digits = "".join(reading.keys[start:stop]).isdecimal()
    marked = bool(strange) or digits or any(token.capital for token in reading.tokens[start:stop])
    pauses = _PAUSE.match(after) is not None
    quoted = _QUOTE_BEFORE.search(before) is not None and _QUOTE_AFTER.match(after) is not None
    if marked and pauses and _LIKE.search(before):
        return True
    if digits:
        return quoted or (pauses and _VERB.search(before) is not None)
    if reading.is_value(start, stop) or (stop - start == 1 and _SURNAME.search(before)):
        return False
    return (
        (marked and quoted)
        or (bool(strange) and pauses and _APPOSED.search(before) is not None)
        or reading.is_capitalised(start, stop)
        or any(is_unknown(word) for word in strange)
        or (bool(strange) and _is_subject(reading, start, stop))
        or _is_telling(reading, start, stop)
    )


def _is_telling(reading: Reading, start: int, stop: int) -> bool:
    """Whether the words and their order are too particular to be chance."""
    keys = reading.keys[start:stop]
    content = [key for key in keys if key not in FUNCTION_WORDS]
    if reading.strange(start, stop):
        return len(content) >= _PAIR or len(keys) >= _PHRASE
    telling = sum(not reading.index.is_common(key) for key in content)
    return (
        telling > _PAIR
        or (len(content) > _PAIR and any(key.isdecimal() for key in keys))
        or (telling == _PAIR and len(keys) >= _PHRASE)
        or (telling > 0 and len(keys) >= _SENTENCE)
        or (len(content) > _PAIR and len(keys) > _SENTENCE)
    )


def _is_subject(reading: Reading, start: int, stop: int) -> bool:
    if not (reading.tokens[start].opens and reading.tokens[start].capital):
        return False
    following = reading.keys[stop] if stop < len(reading.keys) else ""
    return following not in FUNCTION_WORDS or following in _SUBJECT
