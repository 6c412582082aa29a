"""Reads a ranking out of whatever text a model answered."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .json_values import is_list, is_object

_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]*\d)")
_LINE_NUMBERS = re.compile(r"(?m)^[^\S\n]{0,9}(?:[-*•][^\S\n]{0,9})?(?:\*\*)?#?(\d{1,6})\b")
_MOST_CHARACTERS = 100_000
_LONGEST_NUMBER = 10


@dataclass(frozen=True, slots=True)
class RankingAnswer:
    """A model's ranking after reading, and what was wrong with it.

    Attributes:
        numbers: Valid candidate numbers, best first, none twice.
        well_formed: Whether the text was the JSON that was asked for.
        repeated: Numbers that came more than once, counted beyond the first.
        invented: Numbers that belong to no candidate.
        missing: Candidates that were not ranked.
    """

    numbers: tuple[int, ...]
    well_formed: bool
    repeated: int
    invented: int
    missing: int

    @property
    def complete(self) -> bool:
        """Whether every candidate was ranked."""
        return self.missing == 0

    @property
    def faults(self) -> dict[str, int]:
        """How often each fault occurred; only those that did."""
        counts = {
            "wrong_format": int(not self.well_formed),
            "repeated": self.repeated,
            "invented": self.invented,
            "missing": self.missing,
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def flags(self) -> list[str]:
        """Names of the faults, empty for a clean answer."""
        return list(self.faults)


def read_ranking(text: str, candidates: int) -> RankingAnswer:
    """Read an ordered list of candidate numbers.

    Looks for the JSON that was asked for, then for any JSON list of numbers, then for numbers at
    the starts of lines, then for any numbers.

    Args:
        text: The model's whole answer; what lies beyond 100,000 characters is not read.
        candidates: How many candidates there were; they are numbered from 1.
    """
    text = text[:_MOST_CHARACTERS]
    listed = _json_ranking(text)
    found = listed if listed is not None else _loose_numbers(text, candidates)
    numbers: dict[int, None] = {}
    repeated = invented = 0
    for number in found:
        if not 1 <= number <= candidates:
            invented += 1
        elif number in numbers:
            repeated += 1
        else:
            numbers[number] = None
    return RankingAnswer(
        tuple(numbers), listed is not None, repeated, invented, candidates - len(numbers)
    )


def is_ranking(text: str) -> bool:
    """Whether a text is or holds the JSON that was asked for.

    Args:
        text: The model's whole answer.
    """
    return _json_ranking(text[:_MOST_CHARACTERS]) is not None


def _json_ranking(text: str) -> list[int] | None:
    decoder = json.JSONDecoder()
    best: list[int] | None = None
    position = 0
    for _ in range(50):  # an adversarial answer may hold thousands of brackets
        starts = [at for at in (text.find("{", position), text.find("[", position)) if at >= 0]
        if not starts:
            break
        try:
            value, position = decoder.raw_decode(text, min(starts))
        except (ValueError, RecursionError):
            position = min(starts) + 1
            continue
        numbers = _numbers_in(value)
        if numbers is not None and (best is None or len(numbers) > len(best)):
            best = numbers
    return best


def _numbers_in(value: Any) -> list[int] | None:
    if is_object(value):
        lists = [_numbers_in(inner) for inner in value.values() if is_list(inner)]
        return max((found for found in lists if found is not None), key=len, default=None)
    if not is_list(value):
        return None
    numbers = [_as_number(entry) for entry in value]
    kept = [number for number in numbers if number is not None]
    return kept if kept and len(kept) == len(numbers) else None


def _as_number(entry: Any) -> int | None:
    if isinstance(entry, bool):
        return None
    if isinstance(entry, int):
        return entry
    if isinstance(entry, str) and entry.strip().isdecimal() and len(entry) < _LONGEST_NUMBER:
        return int(entry.strip())
    if is_object(entry):
        return _as_number(entry.get("number"))
    return None


def _loose_numbers(text: str, candidates: int) -> Sequence[int]:
    at_line_starts = [int(found) for found in _LINE_NUMBERS.findall(text)]
    # "1. … 2. … 3. …" counts places, it does not name candidates.
    counting = at_line_starts == list(range(1, len(at_line_starts) + 1))
    if len(at_line_starts) > 1 and not counting:
        return at_line_starts
    numbers = [int(found) for found in _NUMBER.findall(text)]
    return numbers if any(1 <= number <= candidates for number in numbers) else []
