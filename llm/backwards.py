"""Whether an answer says of its list that the best candidate stands last, or might."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..records import Item

_WORDS = r"(?:[\s_-]\w{1,12}){0,2}?"
_TO = r"[\s_-]to(?:[\s_-]the)?[\s_-]"
_BACKWARDS = re.compile(
    rf"(?<![a-z])(?:worst{_WORDS}{_TO}(?:best|first|top)"
    rf"|(?<!at )least{_WORDS}{_TO}(?:most|best|top)"
    rf"|(?:last|bottom){_TO}(?:first|best|top)"
    r"|(?P<order>(?:reversed?|ascending)[\s_-](?:order|rank)))",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"\W{0,5}(?:(?:note|this|the|it|they|these|all|list|ranking|candidates|items|is|are|ranked"
    r"|listed|ordered|sorted|given|in|an?|from)\W{1,3}){0,8}" + _BACKWARDS.pattern,
    re.IGNORECASE,
)
"""A remark that begins by saying how the list is ordered; within others, it is a reason."""
_DENIED = re.compile(
    r"(?:\b(?:not|never|instead of|rather than)|n't)\s(?:(?!but)\w{1,12}\s){0,3}$", re.IGNORECASE
)
_HISTORY = re.compile(
    r"\b(?:history|session|sequence|watched|viewed|bought|purchase|interaction|event)",
    re.IGNORECASE,
)
_RANKED = re.compile(r"\b(?:rank|candidate|likel|recommend)", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?](?=\s)|\n")
_FENCE = re.compile(r"```\w{0,10}\s{0,10}$")
_NUMBERED = re.compile(r"[\s*#(\[|-]{0,9}\d")
_NEAR, _DENIAL, _INTRODUCTION = 500, 40, 6


def says_backwards(before: str, keys: Iterable[str], remarks: Iterable[str]) -> bool:
    """Return whether a list's own words doubt its order.

    Args:
        before: The text up to the list, without titles.
        keys: The names under which the list stands.
        remarks: What stands beside it in the same object.
    """
    return (
        any(_BACKWARDS.search(key) for key in keys)
        or any(map(_STATED.match, remarks))
        or any(map(_of_list, _last_sentences(before)))
    )


def text_says_backwards(text: str) -> bool:
    """Return whether a text that holds no JSON says so outside of its numbered lines."""
    lines = text.split("\n")
    said = [line for line in lines if len(lines) == 1 or not _NUMBERED.match(line)]
    return any(_of_list(sentence) for line in said for sentence in _SENTENCE.split(line))


def without_backward_titles(text: str, items: Sequence[Item]) -> str:
    """Return a text without those titles that would be taken for a doubt."""
    if not _BACKWARDS.search(text):
        return text
    for named in (item.title for item in items if _BACKWARDS.search(item.title)):
        text = re.sub(re.escape(named), " ", text, flags=re.IGNORECASE)
    return text


def _of_list(sentence: str) -> bool:
    for found in _BACKWARDS.finditer(sentence):
        if _DENIED.search(sentence[max(0, found.start() - _DENIAL) : found.start()]):
            continue
        told = _HISTORY.search(sentence)
        if told and (not _RANKED.search(sentence) if found["order"] else not _opens(sentence)):
            continue
        return True
    return False


def _last_sentences(before: str) -> list[str]:
    """Return the sentence before a list, and the one before that if it only says "Here it is:"."""
    text = _FENCE.sub("", before[-_NEAR:].rstrip()).rstrip()
    ends = [0, *(found.end() for found in _SENTENCE.finditer(text)), len(text)]
    parts = [text[start:end] for start, end in pairwise(ends)]
    said = [part for part in parts if part.strip(" \n.*#:")]
    short = bool(said) and _opens(said[-1]) and len(said[-1].split()) <= _INTRODUCTION
    return said[-2 if short else -1 :]


def _opens(sentence: str) -> bool:
    return sentence.rstrip("\n *").endswith(":")
