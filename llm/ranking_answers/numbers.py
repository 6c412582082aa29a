"""Reads the numbers that entries of an answer are or begin with, whatever they count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ..text.plain_signs import NUMBER_WORDS, ORDINALS
from .key_names import CANDIDATES, NUMBER, THING
from .measures import increases
from .title_match import WRAPPING

LONGEST = 500
"""Characters of a line that are read."""
FEW = 2
"""Up to this many ascending numbers need not be places."""
_END = r"(?:\b|(?=[_\d])|(?<=[\u00b0\u2116]))"
_NAME = rf"(?:{THING}|{NUMBER}){_END}"
_MARKS = r"[\s#*_`\"'(\[:.=-]"
_BARE = re.compile(
    rf"{_MARKS}{{0,6}}+(?:{_NAME}{_MARKS}{{0,4}}+){{0,2}}+(\d{{1,6}})(?:\.0)?"
    r"[\s*_`\"')\].:,;]{0,6}+",
    re.IGNORECASE,
)
NUMBERED = re.compile(
    rf"[\s*_`\"'(\[•\u2013-]{{0,6}}+(?:(?:rank|place|position|{_NAME}){_MARKS}{{0,3}}+"
    rf"(?:{NUMBER}{_END}{_MARKS}{{0,3}}+)?+)?+"
    r"#?\s?(\d{1,6})(?![\w.]{0,9}\d)(?:st|nd|rd|th)?[\s*_`\"')\].:,|\u2013-]{1,6}+(?=\S)",
    re.IGNORECASE,
)
POINTED = re.compile(
    rf"(?:\b(?:{CANDIDATES}|item|option|number)\s?#?|#)(\d{{1,6}})\b", re.IGNORECASE
)
CANDIDATE = re.compile(_NAME, re.IGNORECASE)
MAPPED = re.compile(
    rf"[\s*_`\"'(\[\u2022-]{{0,6}}+{THING}[\s_]?(?:{NUMBER}[.:]?[\s_]?)?#?(\d{{1,6}})"
    r"[*_`\"')\]]{0,4}+\s?(?:[:=-]|->)"
    r"[\s*_`\"'(#]{0,6}+(\d{1,6})(?:\.0)?[\s*_`\"').]{0,6}+",
    re.IGNORECASE,
)
"""A candidate and a number: its place, or a score."""
PAIR = re.compile(r"\W{0,6}\d{1,6}\s?(?:[:=(,;/|\u2013\u2014-]|->)\s?\d{1,6}\W{0,6}")
_DIGITS = re.compile(r"\d{1,7}")


def bare_number(entry: Any) -> int | None:
    """Return the number that an entry is, written as a number or as text such as "#8".

    Args:
        entry: An entry from decoded JSON.
    """
    if isinstance(entry, int) and not isinstance(entry, bool):
        return entry
    if not isinstance(entry, str):
        return None
    found = _BARE.fullmatch(entry[:LONGEST])
    return int(found[1]) if found else None


def pointed_numbers(texts: Sequence[str]) -> Sequence[int]:
    """Return what texts say about "candidate 8" or "#8"; empty unless each mentions one."""
    found = [POINTED.findall(text[:LONGEST]) for text in texts]
    return [int(numbers[0]) for numbers in found] if all(len(n) == 1 for n in found) else ()


def only_number(key: str) -> int | None:
    """Return the one number that a key such as "rank_1" holds."""
    found = _DIGITS.findall(key[:LONGEST])
    if key.strip().lower() in ORDINALS:
        return ORDINALS.index(key.strip().lower()) + 1
    return int(found[0]) if len(found) == 1 else None


def counts_up(numbers: Sequence[Any]) -> bool:
    """Whether numbers count places: 1, 2, 3, …, or from 0.

    Args:
        numbers: The numbers in their order.
    """
    first = numbers[0] if numbers else None
    return first in {0, 1} and list(numbers) == list(range(first, first + len(numbers)))


def counts_down(numbers: Sequence[Any]) -> bool:
    """Whether numbers count places from the last to the first: 3, 2, 1.

    Args:
        numbers: The numbers in their order.
    """
    return len(numbers) > 1 and list(numbers) == list(range(len(numbers), 0, -1))


def named_once(found: Sequence[int]) -> list[int] | None:
    """Return where the lines of a list stand, without those that only name some of it again.

    What is named again, such as the best at the end, must keep the order of the list: another
    order may be a draft, or the answer after one.

    Args:
        found: What each line names; 0 for talk, which parts lists, and -1 for an unknown entry.

    Returns:
        Those lines, in their order; `None` where two lists contradict each other.
    """
    runs = [[*run] for named, run in groupby(range(len(found)), lambda at: found[at] != 0) if named]
    all_named = {*found} - {0, -1}
    wholes = [run for run in runs if all_named.issubset(found[at] for at in run)]
    whole = wholes[0] if wholes else []
    kept = [*whole]
    known = {found[at]: at for at in reversed(whole)}
    again: dict[int, None] = {}
    for run in runs if len(runs) > 1 else ():
        new = {found[at]: at for at in reversed(run)}
        new = {one: at for one, at in new.items() if one > 0 and one not in known}
        old = dict.fromkeys(known[found[at]] for at in run if found[at] in known and at not in kept)
        if new and (old or len(again) > 1):
            return None
        if new:
            kept += run
            known |= new
        again |= old
    return sorted(kept) if [*again] == sorted(again) else None


def numbered_lists(lines: Sequence[str]) -> list[list[str]]:
    """Part numbered lines into lists that each count from 1; one if there are not several."""
    starts = [NUMBERED.match(line[:LONGEST]) for line in lines]
    numbers = [int(start[1]) if start else 0 for start in starts]
    firsts = [at for at, number in enumerate(numbers) if number == 1]
    if len(firsts) <= 1 or max(numbers) <= 1:
        return [[*lines]]
    starting = [0, *firsts[1:]]
    ends = [*firsts[1:], len(lines)]
    return [[*lines[at:end]] for at, end in zip(starting, ends, strict=True)]


def counts_places(texts: Sequence[str], found: Sequence[int]) -> bool:
    """Whether the numbers before candidates count from 1, and are not just those of the prompt."""
    starts = [NUMBERED.match(text) for text in texts]
    leads = [int(start[1]) for start in starts if start]
    return len(leads) == len(texts) and counts_up(leads) and not increases(found)


def in_words(texts: Sequence[str]) -> Sequence[int] | None:
    """Return the numbers that texts such as "seven" are, or `None` if one is none."""
    words = [text.strip(WRAPPING).lower() for text in texts]
    known = all(word in NUMBER_WORDS for word in words)
    return [NUMBER_WORDS.index(word) for word in words] if known else None
